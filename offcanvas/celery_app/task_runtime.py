"""One Celery task, run as a Celery task, in a worker process of any engine.

``run_task`` hands the task to Celery's own tracer, with the request a Celery worker would have
made of its message. So ``self.request``, retries, hooks of custom base classes, signals, stored
results and exceptions, the style of errbacks and the refusal of ``result.get()`` are Celery's own
code. Only what the tracer would *send* is caught by the seam: the outcome lists it, and the walker
goes on from there. The chord counting of the result backend is kept still, because the walker
counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from traceback import format_exception
from typing import Any, NoReturn

from billiard.common import human_status
from billiard.einfo import ExceptionInfo
from celery import Celery, signals, states
from celery._state import _task_stack  # type: ignore[attr-defined]  # the stubs leave it out
from celery.app.task import Context
from celery.app.trace import build_tracer
from celery.exceptions import (
    ChordError,
    NotRegistered,
    Reject,
    TaskRevokedError,
)
from celery.result import denied_join_result
from celery.utils.nodenames import gethostname

from offcanvas.canvas.calls import (
    FAILURE,
    IGNORED,
    REFUSED,
    RETRY,
    REVOKED,
    ChordFailure,
    ErrorWire,
    TaskCall,
    TaskOutcome,
    aware,
)
from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Task
from offcanvas.celery_app.asking import asked_late, sent_otherwise
from offcanvas.celery_app.breaking import break_if_asked
from offcanvas.celery_app.freezing import signature_of
from offcanvas.celery_app.planning import check_arguments
from offcanvas.celery_app.quiet import quiet
from offcanvas.celery_app.recorder import record_if_asked
from offcanvas.celery_app.seam import context_route, has_own_sending
from offcanvas.celery_app.sink import Sink
from offcanvas.celery_app.storing import stores_errors
from offcanvas.celery_app.time_limits import limits_of, time_limits
from offcanvas.celery_app.values import error_wire, from_wire


def run_task(
    app: Celery,
    call: TaskCall,
    *,
    strict: bool = False,
    killed: bool = False,
    most: int | None = None,
) -> TaskOutcome:
    """Run one attempt of ``call`` in this process.

    The task's state and result are written to the app's result backend, callbacks and errbacks are
    dispatched into the outcome. Whatever the task raises is an outcome; this raises only when the
    result backend fails. ``killed`` says that the engine ends this process at the hard time limit.
    ``most`` is how many bytes of canvases, compressed, the engine takes from one task; one that
    starts more gets CanvasTooLarge.

    Raises:
        SystemExit: the task has left its process.
        KeyboardInterrupt: likewise, or somebody has interrupted this process.
    """
    record_if_asked()
    break_if_asked(app)
    task: Any = app.tasks.get(call.signature["task"])
    if task is None:
        error = NotRegistered(call.signature["task"])
        app.backend.store_result(call.task_id, error, states.FAILURE)
        return TaskOutcome(FAILURE, error=error_wire(app, error))
    sink = Sink(app, call, strict=strict, most=most)
    if call.signature["options"].get("sent_by_class") is False:
        return TaskOutcome(IGNORED)
    if not call.signature["options"].get("sent_by_class") and has_own_sending(task):
        with context_route(app, sink):
            asked = asked_late(app, task, call)
        if asked is None:
            return _with(sink, TaskOutcome(IGNORED))
        if sent_otherwise(call, asked):
            return _sent_otherwise(asked, sink)
        call = sink.call = asked
    signature = from_wire(call.signature, app)
    args, kwargs = signature["args"], signature["kwargs"]
    try:
        check_arguments(app, Task(name=task.name, args=tuple(args), kwargs=tuple(kwargs.items())))
    except (TypeError, ValueError) as error:
        return TaskOutcome(REFUSED, error=error_wire(app, error))
    request = _request(app, task, call, signature, sink)
    if _expired(call.expires_at):
        return _revoked(app, task, call, request, "expired")
    hard, soft = limits_of(app, call)
    limits = time_limits(None if killed else hard, soft)
    misfits: list[Exception] = []
    try:
        with quiet(task.backend, misfits), context_route(app, sink), denied_join_result(), limits:
            traced = _tracer(app, task)(call.task_id, args, kwargs, request)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        # Past the tracer: what is not an Exception, or what went wrong while a failure was handled.
        return _with(sink, fail_task(app, call, error, strict=strict))
    if traced.info is not None and isinstance(traced.info.retval, Reject):
        reject: Any = traced.info.retval
        outcome = sink.outcome(task, traced)
        if outcome.state == RETRY or reject.requeue:
            return outcome
        return _with(sink, fail_task(app, call, reject, strict=strict))
    if misfits:
        return _with(sink, _misfit(app, task, call, Context(request), misfits[0]))
    return sink.outcome(task, traced)


def _sent_otherwise(asked: TaskCall, sink: Sink) -> TaskOutcome:
    """The task's class wants it sent to another queue, or later: the walk starts it anew."""
    options = asked.signature["options"]
    delay = float(options.get("countdown") or 0.0)
    if not delay and options.get("eta"):
        delay = max(0.0, (aware(options["eta"]) - datetime.now(UTC)).total_seconds())
    return _with(sink, TaskOutcome(RETRY, retry=asked.signature, delay=delay, why="sent"))


def _with(sink: Sink, outcome: TaskOutcome) -> TaskOutcome:
    """An outcome, with what was sent before it."""
    return replace(
        outcome,
        spawned=(*sink.spawned, *outcome.spawned),
        parts=tuple(sink.parts),
        revoked=tuple(sink.revoked),
    )


def _misfit(
    app: Celery, task: Any, call: TaskCall, request: Context, error: Exception
) -> TaskOutcome:
    """An errback could not be sent, as its arguments do not fit: that is the task's error now.

    Celery's worker fails with it while it handles the task's own error, and stores it instead.
    """
    stored = stores_errors(task, call)
    if stored:
        task.backend.store_result(
            call.task_id, error, states.FAILURE, traceback=_trace(error), request=request
        )
    return TaskOutcome(FAILURE, error=error_wire(app, error), unstored=not stored)


def _trace(error: BaseException) -> str:
    return "".join(format_exception(error))


def revoke(app: Celery, call: TaskCall, reason: str, *, stamped: bool = False) -> TaskOutcome:
    """Revoke a task: store its state, send the signal, fire no errback.

    ``reason`` is "revoked" before the task has begun, "terminated" when it was ended; ``stamped``:
    by its stamps alone, and not by its id.
    """
    signature = from_wire(call.signature, app)
    task = app.tasks.get(signature["task"])
    if task is None:
        return run_task(app, call)
    sink = Sink(app, call, strict=False)
    request = _request(app, task, call, signature, sink)
    return _revoked(app, task, call, request, reason, by_id=reason == "revoked" and not stamped)


def exited(status: int) -> str:
    """What Celery's WorkerLostError says of a process that has ended with a task.

    ``status`` is an exit status, or a signal's number below zero (``billiard.pool``, without the
    number of the job).
    """
    return f"Worker exited prematurely: {human_status(status)}."


def interrupted(error: BaseException) -> str:
    """The same of a task that has raised KeyboardInterrupt (``Request._worker_lost_info``)."""
    return f"Worker exited prematurely: {type(error).__name__}."


def fail_task(
    app: Celery, call: TaskCall, error: BaseException, *, strict: bool = False
) -> TaskOutcome:
    """Fail a task from outside, as a worker does that has lost or killed the task's process.

    Stores ``error``, fires the errbacks and sends ``task_failure``
    (``celery.worker.request.Request.on_failure`` and ``on_timeout``).
    """
    record_if_asked()
    signature = from_wire(call.signature, app)
    task: Any = app.tasks[signature["task"]]
    alone = replace(call, then=(), near=(), far=0)
    sink = Sink(app, alone, strict=strict)
    request = Context(_request(app, task, alone, signature, sink))
    misfits: list[Exception] = []
    with quiet(task.backend, misfits), context_route(app, sink):
        task.backend.mark_as_failure(
            call.task_id,
            error,
            traceback=_trace(error),
            request=request,
            store_result=stores_errors(task, call),
        )
        _signal_failure(task, call, error, request)
    if misfits:
        outcome = _misfit(app, task, call, request, misfits[0])
        return replace(outcome, spawned=tuple(sink.spawned))
    return TaskOutcome(
        FAILURE,
        error=error_wire(app, error),
        spawned=tuple(sink.spawned),
        unstored=not stores_errors(task, call),
    )


def _info(error: BaseException) -> Any:
    def fails() -> NoReturn:
        raise error

    try:
        fails()
    except BaseException:  # of any kind; it needs a traceback to be told of
        return ExceptionInfo()


def _signal_failure(task: Any, call: TaskCall, error: BaseException, request: Context) -> None:
    einfo = _info(error)
    task.request_stack.push(request)
    try:
        signals.task_failure.send(
            sender=task,
            task_id=call.task_id,
            exception=error,
            args=request.args,
            kwargs=request.kwargs,
            traceback=einfo.traceback,
            einfo=einfo,
        )
    finally:
        task.request_stack.pop()


def fail_chord(app: Celery, failure: ChordFailure, *, strict: bool = False) -> TaskOutcome:
    """Fail a chord's body without running it: store its state and fire its errbacks.

    A body fails with a ChordError that names the header task (``Backend.chord_error_from_stack``),
    or no task where the header's results have to be joined (``RedisBackend.on_chord_part_return``).
    A group for a body fails with the original error instead, if the ChordError has it for its
    cause: not after a join, and not if it is no Exception (``_create_chord_error_with_cause``).
    """
    record_if_asked()
    backend: Any = app.backend
    original = backend.exception_to_python(from_wire(failure.error, app))
    error: Exception = _chord_error(original, failure)
    body = signature_of(app, lift(from_wire(failure.body, app)))
    sink = Sink(app, None, strict=strict)
    with quiet(backend), context_route(app, sink), _in_header(app, failure.culprit):
        try:
            raise error
        except ChordError:
            # Celery reads the traceback to store from the exception being handled.
            info = backend.chord_error_from_stack(body, exc=error)
    if info is not None:  # an errback that does not fit has put its error in the place of this one
        error = getattr(info.exception, "exc", info.exception)
    return TaskOutcome(FAILURE, error=error_wire(app, error), spawned=tuple(sink.spawned))


def _chord_error(original: BaseException, failure: ChordFailure) -> ChordError:
    if failure.culprit is None:
        return ChordError(f"Callback error: {original!r}")
    try:
        if failure.joined:
            return ChordError(f"Join error: {original!r}")
        error = ChordError(f"Dependency {failure.culprit} raised {original!r}")
    except Exception as unable:  # an error that cannot say what it is
        return ChordError(f"Join error: {unable!r}")
    error.__cause__ = original if isinstance(original, Exception) else None
    return error


@contextmanager
def _in_header(app: Celery, culprit: str | None) -> Iterator[None]:
    """Errbacks are sent from the header task that was the last to end: it is their parent.

    So they are in the result of the body, among its ``children``.
    """
    task: Any = app.tasks["celery.chord"]
    _task_stack.push(task)
    task.push_request(id=culprit, called_directly=False, children=[])
    try:
        yield
    finally:
        task.pop_request()
        _task_stack.pop()


def store_failures(
    app: Celery, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
) -> None:
    """Store ``error`` as the outcome of tasks that will never run, with the culprit's traceback."""
    backend = app.backend
    exception = backend.exception_to_python(from_wire(error, app))
    told = backend.get_task_meta(culprit, cache=False) if culprit is not None else {}
    with quiet(backend):
        for task_id in task_ids:
            backend.store_result(task_id, exception, states.FAILURE, told.get("traceback"))


def _tracer(app: Celery, task: Any) -> Any:
    # Not task.__trace__: a real worker in this process builds that one for itself.
    cached = task.__dict__.get("__offcanvas_trace__")
    if cached is None:
        cached = build_tracer(task.name, task, hostname=gethostname(), app=app)
        task.__offcanvas_trace__ = cached
    return cached


def _request(
    app: Celery, task: Any, call: TaskCall, signature: dict[str, Any], sink: Sink
) -> dict[str, Any]:
    """The request that a worker makes of the message that Celery would have sent."""
    options = {**_class_options(task), **signature["options"]}
    stamped = list(options.get("stamped_headers") or ())
    amqp: Any = app.amqp  # the stubs do not know that expires may be an ISO text
    message = amqp.as_task_v2(
        call.task_id,
        task.name,
        tuple(signature["args"]),
        signature["kwargs"],
        group_id=call.group_id,
        group_index=call.group_index,
        eta=call.eta,
        expires=call.expires_at,
        retries=call.retries,
        chord=_chord_mark(call),
        callbacks=options.get("link"),
        errbacks=options.get("link_error"),
        time_limit=options.get("time_limit"),
        soft_time_limit=options.get("soft_time_limit"),
        root_id=call.root_id,
        parent_id=call.parent_id,
        shadow=options.get("shadow"),
        chain=None if sink.chain is None else sink.chain.of_request(),
        ignore_result=options.get("ignore_result", task.ignore_result),
        stamped_headers=stamped or None,
        replaced_task_nesting=options.get("replaced_task_nesting", 0),
        **{name: options[name] for name in stamped},
    )
    args, kwargs, embed = message.body
    return {
        **message.headers,
        **(options.get("headers") or {}),
        **embed,
        **message.properties,
        "properties": message.properties,
        "args": list(args),
        "kwargs": kwargs,
        "hostname": gethostname(),
        "is_eager": False,
        "delivery_info": {
            "exchange": "",
            "routing_key": options.get("queue") or app.conf.task_default_queue,
            # Without a priority, messages come out of Celery's Redis broker with 0.
            "priority": options.get("priority") or app.conf.task_default_priority or 0,
            "redelivered": call.redelivered,
        },
    }


def _class_options(task: Any) -> dict[str, Any]:
    return {name: option for name, option in task._get_exec_options().items() if option is not None}  # noqa: SLF001  # how Task.apply_async reads them


def _chord_mark(call: TaskCall) -> dict[str, Any] | None:
    # Tasks ask only whether they are in a chord (add_to_chord); the body is the plan's business.
    return {"task": "celery.chord", "options": {}} if call.in_chord else None


def _expired(expires_at: str | None) -> bool:
    return expires_at is not None and datetime.now(UTC) > aware(expires_at)


def _revoked(
    app: Celery, task: Any, call: TaskCall, request: dict[str, Any], reason: str,
    *, by_id: bool = False,
) -> TaskOutcome:  # fmt: skip
    # celery.worker.request.Request._announce_revoked. Of an id celery.worker.control.revoke has
    # stored it before, whatever the task ignores: it knows no more of it than the id.
    stored = by_id or stores_errors(task, call)
    with quiet(task.backend):
        task.backend.mark_as_revoked(
            call.task_id, reason, request=Context(request), store_result=stored
        )
    signals.task_revoked.send(
        sender=task,
        request=Context(request),
        terminated=reason == "terminated",
        signum=None,
        expired=reason == "expired",
    )
    error = error_wire(app, TaskRevokedError(reason))
    return TaskOutcome(REVOKED, error=error, unstored=not stored)
