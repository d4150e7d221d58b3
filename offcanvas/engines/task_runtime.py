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
from typing import Any

from billiard.common import human_status
from celery import Celery, signals, states
from celery._state import _task_stack  # type: ignore[attr-defined]  # the stubs leave it out
from celery.app.task import Context
from celery.app.trace import build_tracer
from celery.exceptions import (
    ChordError,
    NotRegistered,
    TaskRevokedError,
)
from celery.result import denied_join_result
from celery.utils.nodenames import gethostname

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Task
from offcanvas.engines.prepare import check_arguments, signature_of
from offcanvas.engines.quiet import quiet
from offcanvas.engines.recorder import record_if_asked
from offcanvas.engines.seam import context_route
from offcanvas.engines.sink import THEN, Sink
from offcanvas.engines.time_limits import limits_of, time_limits
from offcanvas.engines.values import error_wire, from_wire
from offcanvas.engines.walker import (
    FAILURE,
    REFUSED,
    REVOKED,
    ChordFailure,
    ErrorWire,
    TaskCall,
    TaskOutcome,
    aware,
)


def run_task(
    app: Celery, call: TaskCall, *, strict: bool = False, killed: bool = False
) -> TaskOutcome:
    """Run one attempt of ``call`` in this process.

    The task's state and result are written to the app's result backend, callbacks and errbacks are
    dispatched into the outcome. Whatever the task raises is an outcome; this raises only when the
    result backend fails. ``killed`` says that the engine ends this process at the hard time limit.
    """
    record_if_asked()
    signature = from_wire(call.signature)
    args, kwargs = signature["args"], signature["kwargs"]
    task = app.tasks.get(signature["task"])
    if task is None:
        error = NotRegistered(signature["task"])
        app.backend.store_result(call.task_id, error, states.FAILURE)
        return TaskOutcome(FAILURE, error=error_wire(app, error))
    try:
        check_arguments(app, Task(name=task.name, args=tuple(args), kwargs=tuple(kwargs.items())))
    except TypeError as error:
        return TaskOutcome(REFUSED, error=error_wire(app, error))
    request = _request(app, task, call, signature)
    if _expired(call.expires_at):
        return _revoked(app, task, call, request, "expired")
    sink = Sink(app, call, strict=strict)
    hard, soft = limits_of(app, call)
    limits = time_limits(None if killed else hard, soft)
    with quiet(task.backend), context_route(app, sink), denied_join_result(), limits:
        traced = _tracer(app, task)(call.task_id, args, kwargs, request)
    return sink.outcome(task, traced)


def revoke(app: Celery, call: TaskCall, reason: str) -> TaskOutcome:
    """Revoke a task: store its state, send the signal, fire no errback.

    ``reason`` is "revoked" before the task has begun, "terminated" when it was ended.
    """
    signature = from_wire(call.signature)
    task = app.tasks.get(signature["task"])
    if task is None:
        return run_task(app, call)
    return _revoked(app, task, call, _request(app, task, call, signature), reason)


def exited(status: int) -> str:
    """What Celery's WorkerLostError says of a process that has ended with a task.

    ``status`` is an exit status, or a signal's number below zero (``billiard.pool``, without the
    number of the job).
    """
    return f"Worker exited prematurely: {human_status(status)}."


def fail_task(
    app: Celery, call: TaskCall, error: Exception, *, strict: bool = False
) -> TaskOutcome:
    """Fail a task from outside, as a worker does that has lost or killed the task's process.

    Stores ``error`` and fires the errbacks (``celery.worker.request.Request.on_timeout``).
    """
    record_if_asked()
    signature = from_wire(call.signature)
    task: Any = app.tasks[signature["task"]]
    request = Context(_request(app, task, replace(call, then=()), signature))
    sink = Sink(app, call, strict=strict)
    with quiet(task.backend), context_route(app, sink):
        task.backend.mark_as_failure(call.task_id, error, request=request)
    return TaskOutcome(FAILURE, error=error_wire(app, error), spawned=tuple(sink.spawned))


def fail_chord(app: Celery, failure: ChordFailure, *, strict: bool = False) -> TaskOutcome:
    """Fail a chord's body without running it: store its state and fire its errbacks.

    A group for a body fails with the original error, anything else with a ChordError that names
    the header task (``Backend.chord_error_from_stack``), or no task where the header's results have
    to be joined (``RedisBackend.on_chord_part_return``).
    """
    record_if_asked()
    backend = app.backend
    original = backend.exception_to_python(from_wire(failure.error))
    if failure.culprit is None:
        error = ChordError(f"Callback error: {original!r}")
    elif failure.joined:
        error = ChordError(f"Join error: {original!r}")
    else:
        error = ChordError(f"Dependency {failure.culprit} raised {original!r}")
    body = signature_of(app, lift(from_wire(failure.body)))
    sink = Sink(app, None, strict=strict)
    with quiet(backend), context_route(app, sink), _in_header(app, failure.culprit):
        try:
            raise error from original
        except ChordError:
            # Celery reads the traceback to store from the exception being handled.
            backend.chord_error_from_stack(body, exc=error)
    return TaskOutcome(FAILURE, error=error_wire(app, error), spawned=tuple(sink.spawned))


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
    exception = backend.exception_to_python(from_wire(error))
    told = backend.get_task_meta(culprit, cache=False) if culprit is not None else {}
    for task_id in task_ids:
        backend.store_result(task_id, exception, states.FAILURE, told.get("traceback"))


def _tracer(app: Celery, task: Any) -> Any:
    # Not task.__trace__: a real worker in this process builds that one for itself.
    cached = task.__dict__.get("__offcanvas_trace__")
    if cached is None:
        cached = build_tracer(task.name, task, hostname=gethostname(), app=app)
        task.__offcanvas_trace__ = cached
    return cached


def _request(app: Celery, task: Any, call: TaskCall, signature: dict[str, Any]) -> dict[str, Any]:
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
        chain=_chain_mark(call),
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
            "redelivered": False,
        },
    }


def _class_options(task: Any) -> dict[str, Any]:
    return {name: option for name, option in task._get_exec_options().items() if option is not None}  # noqa: SLF001  # how Task.apply_async reads them


def _chord_mark(call: TaskCall) -> dict[str, Any] | None:
    # Tasks ask only whether they are in a chord (add_to_chord); the body is the plan's business.
    return {"task": "celery.chord", "options": {}} if call.in_chord else None


def _chain_mark(call: TaskCall) -> list[Any] | None:
    if not call.then:
        return None
    first = call.then[0]
    return [{**first, "options": {**first["options"], THEN: True}}]


def _expired(expires_at: str | None) -> bool:
    return expires_at is not None and datetime.now(UTC) > aware(expires_at)


def _revoked(
    app: Celery, task: Any, call: TaskCall, request: dict[str, Any], reason: str
) -> TaskOutcome:
    # celery.worker.request.Request.maybe_expire and revoked
    with quiet(task.backend):
        task.backend.mark_as_revoked(
            call.task_id, reason, request=Context(request), store_result=not task.ignore_result
        )
    signals.task_revoked.send(
        sender=task,
        request=Context(request),
        terminated=reason == "terminated",
        signum=None,
        expired=reason == "expired",
    )
    return TaskOutcome(REVOKED, error=error_wire(app, TaskRevokedError(reason)))
