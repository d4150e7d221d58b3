"""What a running task sends, caught: the route of ``task_runtime``."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery, states
from kombu.exceptions import EncodeError
from kombu.utils.functional import maybe_list

from offcanvas import tracing
from offcanvas.canvas import wire
from offcanvas.canvas.calls import (
    FAILURE,
    IGNORED,
    REPLACED,
    RETRY,
    SUCCESS,
    Branch,
    Context,
    TaskCall,
    TaskOutcome,
    aware,
)
from offcanvas.canvas.lift import lift, lift_options
from offcanvas.canvas.lower import lower_options
from offcanvas.canvas.nodes import Node, Task, with_options
from offcanvas.celery_app.asking import as_node, sent, sent_node, without_given
from offcanvas.celery_app.carried import require_json
from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.planning import check_arguments
from offcanvas.celery_app.private_results import results_are_private
from offcanvas.celery_app.request_chain import FAR, RequestChain
from offcanvas.celery_app.seam import DECLINED, has_own_sending
from offcanvas.celery_app.storing import ignores_result, stores_errors
from offcanvas.celery_app.strangers import only_strangers
from offcanvas.celery_app.values import error_wire, to_wire
from offcanvas.errors import CanvasTooLarge

#: Bytes of JSON from which engines with a limit compress it.
_COMPRESSED = 32_768
#: What a retry may change about the call; the rest of its options repeat the request.
_RETRY_OPTIONS = (
    *("queue", "priority", "time_limit", "soft_time_limit", "expires", "shadow", "headers"),
)
#: What follows the task, which a retry may change as well, and the name of it in the request.
_RETRY_CALLBACKS = {"link": "callbacks", "link_error": "errbacks"}
#: Options with which Celery's tracer, and nobody else, sends what follows a task.
_PASSING_ON = frozenset({"chain", "parent_id", "root_id"})
#: Seconds until a task comes back that has rejected its message and wants it requeued.
REQUEUED_AFTER = 1.0


class Sink:
    """The route of a running task: collects what it sends."""

    def __init__(
        self, app: Celery, call: TaskCall | None, *, strict: bool, most: int | None = None
    ) -> None:
        self.app = app
        self.call = call
        self.strict = strict
        self.spawned: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.revoked: list[dict[str, Any]] = []
        #: Bytes of canvases, compressed, that the engine still takes; None if it takes any number.
        self._left = most
        self.passed_on = False
        self.retried: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self.replacement: dict[str, Any] | None = None
        self.chain = None if call is None else RequestChain(app, call, strict=strict)
        self.rest: tuple[dict[str, Any], ...] | None = None
        #: The next task as its class has sent it, with the value for an argument.
        self._next_sent: Node | None = None

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Take what is sent: a value passed on, a retry, a part of the chord, or a new tree."""
        if self._passes_on(options):
            return self._pass_on(signature, args, options)
        if self._is_retry(options):
            to_wire([signature["args"], signature["kwargs"]], self.app)
            self._require_json(signature, options)
            self.retried.append((signature, {**options, "changed": self._callbacks(options)}))
            self._keep_chain(options.get("chain"))
            return self.app.AsyncResult(options["task_id"])
        if only_strangers(self.app, signature) and not results_are_private(self.app):
            return DECLINED  # another service's, reached by the broker as ever
        try:
            prepared = prepare(
                self.app,
                signature,
                args,
                kwargs,
                options,
                strict=self.strict,
                allow_unregistered=True,
            )
        except TypeError as error:
            error.offcanvas_misfit = True  # type: ignore[attr-defined]  # told by ``quiet``
            # Celery sends a group's members one after the other, and meets this on the way.
            for member in _members(signature):
                self.submit(member.clone(args, kwargs), (), {}, options)
            raise
        prepared = sent(self.app, prepared)
        if prepared.plan is None:
            return None
        require_json(self.app, prepared.plan)
        parent = self.app.current_worker_task
        # add_to_chord says where it belongs in the signature, and a canvas does not repeat that in
        # the options it is sent with, as a task does.
        options = {**(signature.get("options") or {}), **options}
        plan = tracing.carried(prepared.plan)
        branch = Branch(plan, context=self._place(options, parent)).to_json()
        self._weigh(branch)
        (self.parts if self._is_part(options) else self.spawned).append(branch)
        if parent is not None and options.get("add_to_parent", True):
            parent.add_trail(prepared.result)
        return prepared.result

    def _weigh(self, canvas: dict[str, Any]) -> None:
        """Refuse what the engine's server would refuse when the task has long ended.

        Raises:
            CanvasTooLarge: it is more than the engine takes from one task.
        """
        if self._left is None:
            return
        text = json.dumps(canvas, separators=(",", ":")).encode()
        size = len(text) if len(text) < _COMPRESSED else len(zlib.compress(text))
        if size > self._left:
            raise CanvasTooLarge(
                f"the canvases that a task starts are {size:,} bytes and the engine's server takes "
                f"{self._left:,} more: pass large values by reference, a key or a path, or start "
                f"fewer in one task"
            )
        self._left -= size

    def _place(self, options: Mapping[str, Any], parent: Any) -> Context:
        request = None if parent is None else parent.request
        root = options.get("root_id") or (request and (request.root_id or request.id))
        place = Context(
            root_id=root, parent_id=options.get("parent_id") or (request and request.id)
        )
        if self._is_part(options) and self.call is not None:
            group = self.call.group_id
            return Context(place.root_id, place.parent_id, group, self.call.group_index, group)
        return place

    def _is_retry(self, options: Mapping[str, Any]) -> bool:
        call = self.call
        return (
            call is not None
            and options.get("task_id") == call.task_id
            and (options.get("retries") or 0) > call.retries
        )

    def _is_part(self, options: Mapping[str, Any]) -> bool:
        call = self.call
        return (
            call is not None
            and call.in_chord
            and options.get("chord") is not None
            and options.get("group_id") == call.group_id
        )

    def _passes_on(self, options: Mapping[str, Any]) -> bool:
        call = self.call
        return (
            call is not None
            and options.keys() >= _PASSING_ON
            and options["parent_id"] == call.task_id
            and not self._is_retry(options)
        )

    def _require_json(self, signature: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """See that a retry is not to be sent with a serializer that writes no JSON.

        Raises:
            UnserialisableValue: it is.
        """
        given = lift_options({"serializer": options.get("serializer")})
        require_json(self.app, Task(name=signature["task"], options=given))

    def _callbacks(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those that ``self.retry`` has been given in the place of the task's own, as JSON."""
        parent = self.app.current_worker_task
        assert parent is not None  # noqa: S101  # a retry is of the task that runs
        changed = {}
        for name, called in _RETRY_CALLBACKS.items():
            given = options.get(name)
            if given != getattr(parent.request, called):
                lifted = lift_options({name: maybe_list(given)})
                changed[name] = to_wire(lower_options(lifted).get(name), self.app)
        return changed

    def _keep_chain(self, now: Any) -> None:
        """Note what the task has made of ``self.request.chain``."""
        if self.chain is not None:
            self.rest = self.chain.changes(now)

    def _pass_on(
        self, signature: Mapping[str, Any], args: Sequence[Any], options: Mapping[str, Any]
    ) -> Any:
        """The tracer sends the next step: check that the value fits it and can be carried.

        Where the next step, or the class of its task, has changed it, the outcome will say so.
        """
        call, parent = self.call, self.app.current_worker_task
        assert call is not None  # noqa: S101  # see _passes_on
        assert self.chain is not None  # noqa: S101  # likewise
        assert parent is not None  # noqa: S101  # the tracer has put it there
        self.passed_on = True
        now: Any = parent.request.chain
        if len(now) == len(options["chain"]):  # some releases take the next one out
            now = [*now, _as_it_was(signature)]
        self._keep_chain(now)
        first = self.rest[0] if self.rest else {"step": 0}
        task_id = options.get("task_id")
        if signature["task"] == FAR or signature.get("subtask_type") is not None:
            given = (args or signature["args"])[0]
            # Celery encodes it in the messages of the tasks that take it, if there are any.
            taken = not all(shape["immutable"] for shape in call.then)
            wired = to_wire(given, self.app) if taken else None
            if first == {"step": 0}:
                self._check(given)
            self._send_canvas(first, wired)
            task_id = task_id or (len(call.then) == 1 and call.then[0]["options"].get("task_id"))
        else:
            to_wire([signature["args"], signature["kwargs"]], self.app)
            self._send_task(signature, options)
        if not task_id:
            return None
        result = self.app.AsyncResult(task_id)
        parent.add_trail(result)
        return result

    def _check(self, given: Any) -> None:
        assert self.call is not None  # noqa: S101  # see _passes_on
        for shape in self.call.then:
            following = (*(() if shape["immutable"] else (given,)), *shape["args"])
            check_arguments(
                self.app,
                Task(name=shape["task"], args=following, kwargs=tuple(shape["kwargs"].items())),
            )

    def _send_canvas(self, first: Mapping[str, Any], given: Any) -> None:
        """The first tasks of a group or chord that follows, as their classes send them."""
        node = self._node_of(first)
        if node is None:
            return
        asked = sent_node(self.app, node, (given,))
        if asked is not node:
            self._set_next({**first, "node": wire.plain(asked, paged=True)})

    def _send_task(self, signature: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """The task that follows, which its class has sent by now."""
        arguments = (tuple(signature["args"]), tuple(signature["kwargs"].items()))
        name = signature["task"]
        check_arguments(self.app, Task(name=name, args=arguments[0], kwargs=arguments[1]))
        task = self.app.tasks.get(name)
        if task is None or not has_own_sending(task):
            return
        own = {name: one for name, one in options.items() if name not in _PASSING_ON}
        self._next_sent = as_node(self.app, task, signature, own)

    def _node_of(self, step: Mapping[str, Any]) -> Node | None:
        assert self.call is not None  # noqa: S101  # see _passes_on
        if "node" in step:
            return wire.node_of(step["node"])
        near = self.call.near
        return lift(near[step["step"]]) if step["step"] < len(near) else None

    def _set_next(self, step: dict[str, Any]) -> None:
        assert self.chain is not None  # noqa: S101  # see _passes_on
        all_steps = self.rest or tuple({"step": number} for number in range(len(self.chain)))
        self.rest = (step, *all_steps[1:])

    def runs(self, name: str) -> bool:
        """Whether no Celery worker runs tasks of this name: see ``seam.Route``."""
        return name in self.app.tasks

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Note what a task revokes; it is told when the task has ended.

        Celery's own handling of a failed group for a body revokes what will never run anyway.
        """
        if self.call is not None:
            self.revoked.append({"ids": list(ids), "terminate": terminate})

    def replace(self, task: Any, signature: Any) -> None:
        """``self.replace`` has frozen its signature with the task's id."""
        self._keep_chain(task.request.chain_kept)
        prepared = prepare(self.app, signature, strict=self.strict, allow_unregistered=True)
        prepared = sent(self.app, prepared, asked=False)
        if prepared.plan is not None:
            require_json(self.app, prepared.plan)
            self.replacement = wire.plain(tracing.carried(prepared.plan), paged=True)
            self._weigh(self.replacement)

    def outcome(self, task: Any, traced: Any) -> TaskOutcome:
        """What the tracer's answer and the collected calls come to."""
        state = SUCCESS if traced.info is None else traced.info.state
        retries: list[dict[str, Any]] = [
            {"retry": self._next(signature, options), "delay": _seconds(options)}
            for signature, options in self.retried
        ]
        last = retries.pop() if state == states.RETRY and retries else None
        common: dict[str, Any] = {
            "spawned": tuple(self.spawned),
            "parts": tuple(self.parts),
            "revoked": tuple(self.revoked),
            "retries": tuple(retries),
        }
        if last is not None:
            return TaskOutcome(RETRY, rest=self.rest, **last, **common)
        if state == states.REJECTED:
            return self._rejected(task, traced.info.retval, common)
        if state == states.IGNORED and self.replacement is not None:
            return TaskOutcome(REPLACED, replacement=self.replacement, rest=self.rest, **common)
        if state == states.FAILURE:
            error = error_wire(self.app, traced.info.retval)
            return TaskOutcome(
                FAILURE, error=error, unstored=not stores_errors(task, self.call), **common
            )
        if state == SUCCESS and self.chain and not self.passed_on:
            # The task has set self.request.chain to None, or the class of the next one has not
            # sent it: what would come next never does.
            return TaskOutcome(IGNORED, **common)
        if state == SUCCESS:
            value = self._value(task, traced.retval)
            self._tell_next(value)
            ignored = ignores_result(task, self.call)
            return TaskOutcome(SUCCESS, value=value, rest=self.rest, unstored=ignored, **common)
        return TaskOutcome(IGNORED, **common)

    def _rejected(self, task: Any, reject: Any, common: dict[str, Any]) -> TaskOutcome:
        """Requeued if it still has its message, else never to run again (``run_task``)."""
        if reject.requeue and task.acks_late and self.call is not None:
            signature = self.call.signature
            return TaskOutcome(
                RETRY, retry=signature, delay=REQUEUED_AFTER, why="requeued", **common
            )
        return TaskOutcome(IGNORED, **common)

    def _tell_next(self, value: Any) -> None:
        """Put the task that follows among the changes, as its class has sent it."""
        node, first = self._next_sent, self.rest[0] if self.rest else {"step": 0}
        if node is None:
            return
        before = self._node_of(first)
        immutable = before is not None and before.immutable
        node = without_given(node, (value,), immutable=immutable)
        if node.options.priority is None and before is not None:
            node = with_options(node, priority=before.options.priority)
        self._set_next({**first, "node": wire.plain(node, paged=True)})

    def _value(self, task: Any, value: Any) -> Any:
        try:
            return to_wire(task.backend.prepare_value(value), self.app)
        except EncodeError:
            # The tracer has let it pass: nobody reads the result of a task that ignores it.
            return None

    def _next(self, signature: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        assert self.call is not None  # noqa: S101  # a retry is of a call
        before = self.call.signature
        changed = lower_options(lift_options({name: options.get(name) for name in _RETRY_OPTIONS}))
        changed |= options["changed"]
        task = self.app.tasks[signature["task"]]
        ignored = options.get("ignore_result")
        if ignored is not None and bool(ignored) != ignores_result(task, self.call):
            changed["ignore_result"] = bool(ignored)
        return {
            **before,
            "args": to_wire(signature["args"], self.app),
            "kwargs": to_wire(signature["kwargs"], self.app),
            "options": {**before["options"], **changed},
        }


def _as_it_was(signature: Any) -> Any:
    """The next step of a chain before the tracer called it with the value."""
    if signature["task"] == FAR or signature.get("subtask_type") is not None:
        return signature
    options = {n: one for n, one in signature["options"].items() if n not in _PASSING_ON}
    args = signature["args"] if signature["immutable"] else signature["args"][1:]
    return {**signature, "args": list(args), "options": options}


def _members(signature: Any) -> Sequence[Any]:
    return signature.tasks if signature.get("subtask_type") == "group" else ()


def _seconds(options: Mapping[str, Any]) -> float:
    eta = options.get("eta")
    if options.get("countdown") is None and eta is not None:
        until = aware(eta if isinstance(eta, str) else eta.isoformat())
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    return float(options.get("countdown") or 0.0)
