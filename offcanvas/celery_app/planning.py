"""What a call of ``apply_async`` means: a plan, made once, without ids and without side effects.

``plan`` lifts the signature, applies Celery's rules (``canvas.planner``), fills in what the tasks'
classes say, and checks the arguments of the first tasks. ``freezing.freeze`` gives a plan its ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from offcanvas.canvas import wire
from offcanvas.canvas.lift import lift, lift_options, value
from offcanvas.canvas.nodes import (
    Chain,
    Chord,
    Chunks,
    Group,
    Leaf,
    Map,
    Node,
    Starmap,
    Task,
    children,
    with_options,
)
from offcanvas.canvas.planner import Call, Deviation, Planner, entries, merge
from offcanvas.celery_app.values import to_wire
from offcanvas.errors import UnregisteredTask

if TYPE_CHECKING:
    from celery import Celery

#: Options of the task's class that matter before it reaches a worker.
CLASS_OPTIONS = ("queue", "priority", "expires", "time_limit", "soft_time_limit")
#: Arguments of ``apply_async`` that speak of a message and not of the task.
MESSAGE_ARGUMENTS = frozenset(
    (
        *("producer", "publisher", "connection", "router", "result_cls", "add_to_parent"),
        *("route_name", "task_type", "retry", "retry_policy", "delivery_mode", "compression"),
        *("exchange", "routing_key", "reply_to"),
    )
)


@dataclass(frozen=True, slots=True)
class Submission:
    """``signature.apply_async(args, kwargs, **options)`` for ``app``, not yet planned.

    ``timeout`` is how many seconds the caller waits for a result, None for ever. ``strict`` is
    ``strict_celery``; ``batch`` how many members of a group run together, None for one by one.
    """

    app: Celery
    signature: Mapping[str, Any]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    timeout: float | None = None
    batch: int | Literal["auto"] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A submission and what it means.

    Attributes:
        submission: what was planned.
        plan: nodes without ids; None for an empty chain, which Celery does not run either.
        deviations: where Celery itself would not do what it documents.
        alone: the call is of one task, not of a canvas.
    """

    submission: Submission
    plan: Node | None
    deviations: frozenset[Deviation] = frozenset()
    alone: bool = False


def plan(
    submission: Submission, node: Node | None = None, *, allow_unregistered: bool = False
) -> Planned:
    """The plan of ``submission``; nothing is sent, stored or given an id.

    Args:
        submission: the call.
        node: the signature, where the caller has lifted it already.
        allow_unregistered: a task need not be known here, as for Celery: the worker may know it,
            and otherwise stores ``NotRegistered``.

    Raises:
        BadCanvas: the signature cannot be understood.
        TypeError: the arguments do not fit the first task, as Celery raises it.
        ValueError: the first task's soft time limit is longer than its hard one, likewise.
        UnregisteredTask: the app has no task of a name in the canvas.
        EncodeError: a value that the app's serializer refuses, as Celery raises it.
    """
    app, kwargs = submission.app, dict(submission.kwargs)
    node = lift(submission.signature) if node is None else node
    if isinstance(node, Chord) and kwargs.get("body") is not None:
        node = replace(node, body=lift(kwargs.pop("body")))
    given = {
        name: option for name, option in submission.options.items() if name not in MESSAGE_ARGUMENTS
    }
    call = Call(
        tuple(value(arg) for arg in submission.args),
        tuple((name, value(arg)) for name, arg in kwargs.items()),
        lift_options(given, "call"),
    )
    planner = Planner(
        strict=submission.strict, errbacks_on_header=app.conf.task_allow_error_cb_on_chord_header
    )
    planned = planner.plan(node, call)
    if not allow_unregistered:
        _check_names(app, planned)
    planned = _with_class_options(app, planned)
    deviations = frozenset(planner.deviations)
    if isinstance(planned, Chain) and not planned.steps:
        return Planned(submission, None, deviations)
    for entry in entries(planned):
        check_arguments(app, entry)
    return Planned(submission, opaque(app, planned), deviations, isinstance(node, Leaf))


def plan_step(app: Celery, signature: Mapping[str, Any], *, strict: bool = False) -> Node:
    """The plan of a signature that a task has put among what follows it: it will be given a value.

    Raises:
        BadCanvas: the signature cannot be understood.
        EncodeError: a value that the app's serializer refuses.
    """
    planner = Planner(
        strict=strict, errbacks_on_header=app.conf.task_allow_error_cb_on_chord_header
    )
    planned = planner.plan(lift(signature), Call(fed=True))
    return opaque(app, _with_class_options(app, planned))


def check_arguments(app: Celery, task: Task) -> None:
    """Bind the arguments to the task's parameters, as ``Task.apply_async`` does.

    Raises:
        TypeError: they do not fit.
        ValueError: the task's soft time limit is longer than its hard one.
    """
    registered = app.tasks.get(task.name)
    if registered is None:
        return
    soft, hard = registered.soft_time_limit, registered.time_limit
    if soft and hard and soft > hard:
        raise ValueError("soft_time_limit must be less than or equal to time_limit")
    if not registered.typing:
        return
    header = getattr(registered, "__header__", None)
    if header is not None:
        header(*task.args, **dict(task.kwargs))


def opaque(app: Celery, plan: Node) -> Node:
    """The plan with its values as plain JSON, the form in which the walker carries them.

    Raises:
        EncodeError: a value that the app's serializer refuses, as Celery raises it.
    """
    return wire.node_of(to_wire(wire.plain(plan), app))


def _with_class_options(app: Celery, node: Node) -> Node:
    match node:
        case Task(name=name):
            return _routed(app, _of_class(app, _without_models(app, node), name))
        case Map() | Starmap() | Chunks():
            return _of_class(app, node, "celery.map")
        case Chain(steps=steps):
            return replace(node, steps=_all_with_class_options(app, steps))
        case Group(members=members):
            return replace(node, members=_all_with_class_options(app, members))
        case Chord(header=header, body=body) if body is not None:
            return replace(
                node,
                header=replace(header, members=_all_with_class_options(app, header.members)),
                body=_with_class_options(app, body),
            )
        case _:
            return node


def _all_with_class_options(app: Celery, nodes: Sequence[Node]) -> tuple[Node, ...]:
    return tuple(_with_class_options(app, node) for node in nodes)


def _check_names(app: Celery, plan: Node) -> None:
    if isinstance(plan, Task) and plan.name not in app.tasks:
        raise UnregisteredTask(
            f"the app {app.main or 'without a name'} has no task {plan.name!r}; import the module "
            f"that defines it"
        )
    for part in children(plan):
        _check_names(app, part)


def _without_models(app: Celery, task: Task) -> Task:
    """Pydantic models for a task with ``pydantic=True`` as what JSON carries (``apply_async``)."""
    dump = getattr(app.tasks.get(task.name), "_dump_pydantic_arguments", None)
    if dump is None:
        return task
    args, kwargs = dump(task.args, dict(task.kwargs))
    return replace(task, args=tuple(args or ()), kwargs=tuple((kwargs or {}).items()))


def _routed(app: Celery, task: Node) -> Node:
    """The task with the queue and the priority that ``task_routes`` give it.

    A route that is a function is asked now, with the arguments that are known now.
    """
    router: Any = app.amqp.router if app.conf.task_routes else None
    if router is None or task.options.queue is not None or not isinstance(task, Task):
        return task
    route = router.lookup_route(
        task.name, task.args, dict(task.kwargs), {}, app.tasks.get(task.name)
    )
    if not route:
        return task
    given = {"queue": route} if isinstance(route, str) else dict(route)
    queue = given.get("queue")
    own = task.options
    return with_options(
        task,
        queue=getattr(queue, "name", queue) or own.queue,
        priority=own.priority if own.priority is not None else given.get("priority"),
    )


def _of_class(app: Celery, node: Node, name: str) -> Node:
    task = app.tasks.get(name)
    given = {
        option: setting
        for option in CLASS_OPTIONS
        if (setting := getattr(task, option, None)) is not None
    }
    if not given:
        return node
    own = node.options
    merged = merge(lift_options(given, name), own)
    return replace(node, options=merged) if merged != own else node
