"""What a running task sends, caught: the route of ``task_runtime``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery, states
from kombu.exceptions import EncodeError

from offcanvas.canvas import wire
from offcanvas.canvas.lift import lift_options
from offcanvas.canvas.lower import lower_options
from offcanvas.canvas.nodes import Task
from offcanvas.engines.prepare import check_arguments, prepare
from offcanvas.engines.values import error_wire, to_wire
from offcanvas.engines.walker import (
    FAILURE,
    IGNORED,
    REPLACED,
    RETRY,
    SUCCESS,
    Branch,
    TaskCall,
    TaskOutcome,
    aware,
)
from offcanvas.engines.walker import (
    Context as Place,
)

#: Marks the signature by which the tracer passes a value on, among the options it is sent with.
THEN = "offcanvas_then"
#: What a retry may change about the call; the rest of its options repeat the request.
_RETRY_OPTIONS = ("queue", "priority", "time_limit", "soft_time_limit", "expires", "shadow")


class Sink:
    """The route of a running task: collects what it sends."""

    def __init__(self, app: Celery, call: TaskCall | None, *, strict: bool) -> None:
        self.app = app
        self.call = call
        self.strict = strict
        self.spawned: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.revoked: list[dict[str, Any]] = []
        self.passed_on = False
        self.retry: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
        self.replacement: dict[str, Any] | None = None

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Take what is sent: a value passed on, a retry, a part of the chord, or a new tree."""
        if options.get(THEN):
            return self._pass_on(signature, options)
        if self._is_retry(options):
            to_wire([signature["args"], signature["kwargs"]])
            self.retry = (signature, options)
            return self.app.AsyncResult(options["task_id"])
        prepared = prepare(
            self.app, signature, args, kwargs, options, strict=self.strict, strangers=True
        )
        if prepared.plan is None:
            return None
        parent = self.app.current_worker_task
        # add_to_chord says where it belongs in the signature, and a canvas does not repeat that in
        # the options it is sent with, as a task does.
        options = {**(signature.get("options") or {}), **options}
        branch = Branch(prepared.plan, context=self._place(options, parent))
        if self._is_part(options):
            self.parts.append(branch.to_json())
        else:
            self.spawned.append(branch.to_json())
        if parent is not None and options.get("add_to_parent", True):
            parent.add_trail(prepared.result)
        return prepared.result

    def _place(self, options: Mapping[str, Any], parent: Any) -> Place:
        request = None if parent is None else parent.request
        root = options.get("root_id") or (request and (request.root_id or request.id))
        place = Place(root_id=root, parent_id=options.get("parent_id") or (request and request.id))
        if self._is_part(options) and self.call is not None:
            group = self.call.group_id
            return Place(place.root_id, place.parent_id, group, self.call.group_index, group)
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

    def _pass_on(self, signature: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        """The tracer sends the next step: check that the value fits it and can be carried."""
        assert self.call is not None  # noqa: S101  # only run_task marks a chain
        self.passed_on = True
        (given,) = signature["args"][:1] or (None,)
        to_wire(given)
        for shape in self.call.then:
            following = (*(() if shape["immutable"] else (given,)), *shape["args"])
            check_arguments(
                self.app,
                Task(name=shape["task"], args=following, kwargs=tuple(shape["kwargs"].items())),
            )
        result = self.app.AsyncResult(options["task_id"])
        parent = self.app.current_worker_task
        if parent is not None and len(self.call.then) == 1:
            parent.add_trail(result)
        return result

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Note what a task revokes; it is told when the task has ended.

        Celery's own handling of a failed group for a body revokes what will never run anyway.
        """
        if self.call is not None:
            self.revoked.append({"ids": list(ids), "terminate": terminate})

    def replace(self, task: Any, signature: Any) -> None:
        """``self.replace`` has frozen its signature with the task's id."""
        del task
        prepared = prepare(self.app, signature, strict=self.strict, strangers=True)
        self.replacement = None if prepared.plan is None else wire.plain(prepared.plan, paged=True)

    def outcome(self, task: Any, traced: Any) -> TaskOutcome:
        """What the tracer's answer and the collected calls come to."""
        state = SUCCESS if traced.info is None else traced.info.state
        common: dict[str, Any] = {
            "spawned": tuple(self.spawned),
            "parts": tuple(self.parts),
            "revoked": tuple(self.revoked),
        }
        if state == states.RETRY and self.retry is not None:
            signature, options = self.retry
            assert self.call is not None  # noqa: S101  # a retry is of a call
            return TaskOutcome(
                RETRY, retry=self._next(signature, options), delay=_seconds(options), **common
            )
        if state == states.IGNORED and self.replacement is not None:
            return TaskOutcome(REPLACED, replacement=self.replacement, **common)
        if state == states.FAILURE:
            return TaskOutcome(FAILURE, error=error_wire(self.app, traced.info.retval), **common)
        if state == SUCCESS and self.call is not None and self.call.then and not self.passed_on:
            # The task has set self.request.chain to None: what would come next never does.
            return TaskOutcome(IGNORED, **common)
        if state == SUCCESS:
            return TaskOutcome(SUCCESS, value=self._value(task, traced.retval), **common)
        return TaskOutcome(IGNORED, **common)

    def _value(self, task: Any, value: Any) -> Any:
        try:
            return to_wire(task.backend.prepare_value(value))
        except EncodeError:
            # The tracer has let it pass: nobody reads the result of a task that ignores it.
            return None

    def _next(self, signature: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        assert self.call is not None  # noqa: S101  # a retry is of a call
        before = self.call.signature
        changed = lower_options(lift_options({name: options.get(name) for name in _RETRY_OPTIONS}))
        return {
            **before,
            "args": to_wire(signature["args"]),
            "kwargs": to_wire(signature["kwargs"]),
            "options": {**before["options"], **changed},
        }


def _seconds(options: Mapping[str, Any]) -> float:
    eta = options.get("eta")
    if options.get("countdown") is None and eta is not None:
        until = aware(eta if isinstance(eta, str) else eta.isoformat())
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    return float(options.get("countdown") or 0.0)
