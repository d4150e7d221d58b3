"""What a task's own class says when the task is sent: an ``apply_async`` that is overridden.

Custom bases add headers, queues and time limits there, take locks, or do not send at all. Celery
asks them whenever it sends a task: a member of a group when the group is called, a step of a chain
when the one before has ended, a chord's body when the header has. So does the kit, with the
arguments and options that Celery would give; what comes out in the end is the task that runs.

An app's own ``send_task`` is asked likewise, as Celery's ``apply_async`` ends in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from celery._state import _task_stack  # type: ignore[attr-defined]  # the stubs leave it out
from celery.result import denied_join_result
from celery.utils import uuid

from offcanvas.canvas.lift import lift
from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import Chain, Chord, Group, Leaf, Node, Options, Task, with_options
from offcanvas.celery_app.freezing import Prepared, prepare, signature_of
from offcanvas.celery_app.planning import CLASS_OPTIONS, MESSAGE_ARGUMENTS, opaque
from offcanvas.celery_app.seam import DECLINED, Route, context_route, has_own_sending, route_for
from offcanvas.celery_app.values import from_wire, to_wire
from offcanvas.errors import CanvasWarning

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.calls import TaskCall
    from offcanvas.canvas.nodes import Value


_Call: TypeAlias = tuple[Mapping[str, Any], Sequence[Any], Mapping[str, Any], Mapping[str, Any]]
"""Signature, arguments, keyword arguments, options: what a route is given."""


class _Caught:
    """A route that keeps one call of a task; others go where they would have gone.

    That call is the one with the id that was asked for, or else the first.
    """

    def __init__(self, app: Celery, name: str, task_id: str | None, outer: Route | None) -> None:
        self.app = app
        self.name = name
        self.task_id = task_id
        self.outer = outer
        self._call: _Call | None = None

    @property
    def call(self) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """Its signature, with arguments, and its options."""
        return self._call and (self._call[0], self._call[3])

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """``apply_async`` of Celery itself, called by the one that overrides it."""
        if signature["task"] == self.name:
            if self._call is None:
                # One that is sent besides has an id that its class may know by now.
                options = {**options, "task_id": options.get("task_id") or uuid()}
                self._call = (signature, args, kwargs, options)
                return self.app.AsyncResult(options["task_id"])
            if self.outer is not None and self._is_asked_for(options):
                before, self._call = self._call, (signature, args, kwargs, options)
                self.outer.submit(*before)
                return self.app.AsyncResult(options["task_id"])
        if self.outer is None:
            return DECLINED
        return self.outer.submit(signature, args, kwargs, options)

    def _is_asked_for(self, options: Mapping[str, Any]) -> bool:
        if self._call is None or self.task_id is None:
            return False
        return bool(options.get("task_id") == self.task_id != self._call[3]["task_id"])

    def runs(self, name: str) -> bool:
        """As outside."""
        runs = getattr(self.outer, "runs", None)
        return runs is not None and bool(runs(name))

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """As outside."""
        if self.outer is not None:
            self.outer.revoke(ids, terminate=terminate)

    def replace(self, task: Any, signature: Any) -> None:
        """As outside."""
        if self.outer is not None:
            self.outer.replace(task, signature)


class _Beside:
    """The route where there is none, before a canvas is begun: what is sent besides goes with it.

    Results of that are not to be had yet, and whoever waits for one would wait for ever.
    """

    def __init__(self, app: Celery, *, strict: bool) -> None:
        self.app = app
        self.strict = strict
        self._plans: list[Node] = []

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Keep it for the task that is asked."""
        prepared = prepare(self.app, signature, args, kwargs, options, strict=self.strict)
        prepared = sent(self.app, prepared)
        if prepared.plan is not None:
            self._plans.append(prepared.plan)
        return prepared.result

    def runs(self, name: str) -> bool:
        """Those of the app: the canvas is not Celery's."""
        return name in self.app.tasks

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Nothing has begun, and nobody can be told."""
        del terminate
        warnings.warn(
            CanvasWarning(
                f"an apply_async of the canvas revokes {', '.join(ids)} while the canvas is being "
                "sent; run and check do not"
            ),
            stacklevel=2,
        )

    def replace(self, task: Any, signature: Any) -> None:
        """No task runs."""
        raise RuntimeError(f"{task.name} replaces itself by {signature!r} outside of a worker")

    def take(self) -> tuple[Node, ...]:
        """What has been kept since the last time."""
        taken, self._plans = tuple(self._plans), []
        return taken


def sent(app: Celery, prepared: Prepared, *, asked: bool = True) -> Prepared:
    """The canvas as the classes of its first tasks send it.

    What they send besides goes to the route that is open. Where there is none it goes to Celery if
    this comes of a caller's call, and else becomes a part of the plan.

    ``asked``: this comes of a call of ``apply_async``, which for a lone task was the class's own.

    Raises:
        Exception: whatever an ``apply_async`` raises, as it does to Celery's callers.
    """
    plan = prepared.plan
    if plan is None:
        return prepared
    if not (asked and prepared.alone):
        if asked or route_for(app) is not None:
            return replace(prepared, plan=sent_node(app, plan))
        with context_route(app, _Beside(app, strict=prepared.strict)), denied_join_result():
            return replace(prepared, plan=sent_node(app, plan))
    task = app.tasks.get(getattr(plan, "name", ""))
    if task is None or not has_own_sending(task):
        return prepared
    return replace(prepared, plan=with_options(plan, sent_by_class=True))


def sent_node(app: Celery, plan: Node, given: tuple[Value, ...] = ()) -> Node:
    """``plan`` called with ``given``, as the classes of its first tasks send it."""
    match plan:
        case Chain(steps=(first, *rest)):
            asked = sent_node(app, first, given)
            return plan if asked is first else replace(plan, steps=(asked, *rest))
        case Group(members=members):
            asked_members = [sent_node(app, member, given) for member in members]
            if all(map(_same, asked_members, members)):
                return plan
            return replace(plan, members=tuple(asked_members))
        case Chord(header=header, body=body):
            if header.members or body is None:
                return replace(plan, header=cast("Group", sent_node(app, header, given)))
            return replace(plan, body=sent_node(app, body, ([],)))
        case _ if isinstance(plan, Leaf):
            return _sent(app, plan, given)
        case _:
            return plan


def _same(one: Node, other: Node) -> bool:
    return one is other


def _sent(app: Celery, node: Node, given: tuple[Value, ...]) -> Node:
    signature = from_wire(lower(node), app)
    task: Any = app.tasks.get(signature["task"])
    if task is None or not has_own_sending(task) or node.options.sent_by_class is not None:
        return node
    if given and not node.immutable:
        signature["args"] = [*from_wire(list(given), app), *signature["args"]]
    call = _asked(app, task, signature)
    route = route_for(app)
    beside = route.take() if isinstance(route, _Beside) else ()
    if call is None:
        return with_options(node, sent_by_class=False, sent_beside=beside)
    return with_options(_node(app, task, node, call, given), sent_beside=beside)


def _asked(
    app: Celery, task: Any, signature: dict[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """What reaches Celery's own ``apply_async``: a signature with arguments, and options."""
    options = dict(signature_of(app, lift(signature)).options)
    for name in CLASS_OPTIONS:  # Celery adds those later
        if name in options and options[name] == getattr(task, name, None):
            del options[name]
    caught = _Caught(app, task.name, options.get("task_id"), route_for(app))
    with context_route(app, caught):
        task.apply_async(tuple(signature["args"]), dict(signature["kwargs"]), **options)
    return caught.call


def _node(
    app: Celery,
    task: Any,
    node: Node,
    call: tuple[Mapping[str, Any], Mapping[str, Any]],
    given: tuple[Value, ...],
) -> Node:
    signature, options = call
    made = as_node(app, task, signature, options)
    own = node.options
    made = with_options(
        made,
        task_id=own.task_id,
        group_index=own.group_index,
        group_id=own.group_id,
        root_id=own.root_id,
        parent_id=own.parent_id,
    )
    return without_given(made, given, immutable=node.immutable)


def as_node(
    app: Celery, task: Any, signature: Mapping[str, Any], options: Mapping[str, Any]
) -> Node:
    """The node of a call as it has reached Celery's own ``apply_async``."""
    named = {name: one for name, one in options.items() if name not in MESSAGE_ARGUMENTS}
    by_class = {
        name: getattr(task, name)
        for name in CLASS_OPTIONS
        if getattr(task, name, None) is not None and named.get(name) is None
    }
    sent_as = {**signature, "options": {**named, **by_class}}
    return with_options(opaque(app, lift(sent_as)), sent_by_class=True)


def without_given(node: Node, given: tuple[Value, ...], *, immutable: bool) -> Node:
    """The node with the value it is called with left out, if it is still its first argument."""
    if immutable or not isinstance(node, Task):
        return replace(node, immutable=immutable)
    if given and node.args[:1] == given:
        return replace(node, args=node.args[1:])
    return replace(node, immutable=bool(given))


def asked_late(app: Celery, task: Any, call: TaskCall) -> TaskCall | None:
    """``call`` as the task's class sends it, asked in the process that is to run it.

    So it is for the body of a chord and what is too far ahead in a chain to be sent by the task
    before. That task is the current one meanwhile, as far as its id and headers go. None: the class
    has not sent it.
    """
    signature = from_wire(call.signature, app)
    with _before(app, call):
        asked = _asked(app, task, signature)
    if asked is None:
        return None
    made = as_node(app, task, *asked)
    kept = Options(task_id=call.task_id, group_index=call.signature["options"].get("group_index"))
    made = with_options(made, task_id=kept.task_id, group_index=kept.group_index)
    return replace(call, signature={**lower(made), "immutable": call.signature["immutable"]})


@contextmanager
def _before(app: Celery, call: TaskCall) -> Iterator[None]:
    if call.parent_id is None:
        yield
        return
    task: Any = app.tasks["celery.chord"]
    headers = from_wire(call.headers or {}, app)
    _task_stack.push(task)
    task.push_request(
        {**headers, "id": call.parent_id, "root_id": call.root_id, "headers": headers},
        called_directly=False,
        children=[],
    )
    try:
        yield
    finally:
        task.pop_request()
        _task_stack.pop()


def sent_otherwise(before: TaskCall, after: TaskCall) -> bool:
    """Whether a class has said something that has to be known before the task begins."""
    names = ("queue", "countdown", "eta", "expires", "time_limit", "priority")
    old, new = before.signature["options"], after.signature["options"]
    return any(to_wire(old.get(name)) != to_wire(new.get(name)) for name in names)
