"""From a signature to a plan with ids and the result object its caller gets.

The rules make the plan; ``Freezer`` gives it ids and builds the tree of Celery's ``AsyncResult``
and ``GroupResult``, so that what the caller holds is what Celery would have given, and reads the
states that the engine stores.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from celery import signature as celery_signature
from celery.result import AsyncResult, GroupResult
from kombu.exceptions import EncodeError
from kombu.utils.uuid import uuid

from offcanvas.canvas import wire
from offcanvas.canvas.lift import lift, lift_options, value
from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import (
    Chain,
    Chord,
    Chunks,
    Group,
    Map,
    Node,
    Options,
    Starmap,
    Task,
    children,
    with_options,
)
from offcanvas.canvas.rules import Call, Deviation, Planner, entries, handed_on, merge
from offcanvas.engines.base import Gap
from offcanvas.engines.memory_backend import memory_backend
from offcanvas.engines.support import Level, require
from offcanvas.errors import (
    BadArguments,
    UnregisteredTask,
    UnserialisableValue,
    UnsupportedCanvas,
)

if TYPE_CHECKING:
    from types import FrameType

    from celery import Celery

    from offcanvas.engines.base import Engine, Submission

#: Options of the task's class that matter before it reaches a worker.
_CLASS_OPTIONS = ("queue", "priority", "expires", "time_limit", "soft_time_limit")
#: Arguments of ``apply_async`` that speak of a message and not of the task.
_MESSAGE_ARGUMENTS = frozenset(
    (
        *("producer", "publisher", "connection", "router", "result_cls", "add_to_parent"),
        *("route_name", "task_type", "retry", "retry_policy", "delivery_mode", "compression"),
        *("exchange", "routing_key", "reply_to"),
    )
)
#: Packages between the code that calls a canvas and its preparation.
_NOT_THE_CALLER = frozenset({"offcanvas", "celery", "contextlib"})


class CanvasWarning(UserWarning):
    """A canvas runs as Celery documents it, where Celery itself does otherwise."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A canvas ready to run.

    Attributes:
        plan: nodes with ids; None for an empty chain, which Celery does not run either.
        result: what ``apply_async`` returns: an AsyncResult, a GroupResult, or None.
        deviations: where Celery itself would not do what it documents.
    """

    plan: Node | None
    result: Any
    deviations: frozenset[Deviation]


def prepare(
    app: Celery,
    signature: Mapping[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
    strangers: bool = False,
) -> Prepared:
    """What ``signature.apply_async(args, kwargs, **options)`` means, with ids.

    With ``strangers`` a task need not be known here, as for Celery: the worker may know it, and
    otherwise stores ``NotRegistered``.

    Raises:
        TypeError: the arguments do not fit the first task, as Celery raises it.
        UnregisteredTask: the app has no task of a name in the canvas.
        UnserialisableValue: a value that the app's serializer refuses.
    """
    kwargs = dict(kwargs or {})
    node = lift(signature)
    if isinstance(node, Chord) and kwargs.get("body") is not None:
        node = replace(node, body=lift(kwargs.pop("body")))
    given = {
        name: option for name, option in (options or {}).items() if name not in _MESSAGE_ARGUMENTS
    }
    call = Call(
        tuple(value(arg) for arg in args),
        tuple((name, value(arg)) for name, arg in kwargs.items()),
        lift_options(given, "call"),
    )
    planner = Planner(
        strict=strict, errbacks_on_header=app.conf.task_allow_error_cb_on_chord_header
    )
    plan = planner.plan(node, call)
    if not strangers:
        _check_names(app, plan)
    plan = _with_class_options(app, plan)
    deviations = frozenset(planner.deviations)
    if isinstance(plan, Chain) and not plan.steps:
        return Prepared(None, None, deviations)
    for entry in entries(plan):
        check_arguments(app, entry)
    plan, result = Freezer(app).freeze(_opaque(plan))
    if isinstance(plan, Chord):
        # _chord.run makes the header the parent of what it returns, whatever the body is.
        result.parent = _first(result)
    if isinstance(plan, Group) and len(result) == 1 and isinstance(result[0], GroupResult):
        result = result[0]  # Celery's special case for group(a | group(b, c))
    return Prepared(plan, result, deviations)


def prepare_submission(submission: Submission, on: Engine, *, strangers: bool = False) -> Prepared:
    """``prepare`` for a submission to the engine ``on``, which has to support all of it.

    Where Celery would do otherwise there is a warning, unless the submission is strict.

    Raises:
        UnsupportedCanvas: what the engine's table says it cannot do, all of it.
    """
    if submission.app.conf.task_serializer != "json":
        serializer = submission.app.conf.task_serializer
        row = on.support["values of other serializers"]
        if row.level is Level.UNSUPPORTED:
            raise UnsupportedCanvas(
                on.name, [Gap("app", f"task_serializer={serializer}", row.note)]
            )
    require(on.name, lift(submission.signature), on.support)
    prepared = prepare(
        submission.app,
        submission.signature,
        submission.args,
        submission.kwargs,
        submission.options,
        strict=submission.strict,
        strangers=strangers,
    )
    if not submission.strict:
        warn_of(prepared.deviations)
    return prepared


def vet(submission: Submission, on: Engine) -> Prepared:
    """``prepare_submission`` for its errors; what does not fit is a usage error here.

    What is prepared is to be looked at, not to be run: its results are nobody's.

    Raises:
        BadArguments: the arguments do not fit the first task.
        UnserialisableValue: a value that the app's serializer refuses.
        UsageError: anything else that keeps the canvas from running.
    """
    try:
        # Results of a group subscribe to the app's own backend as soon as they are made.
        with memory_backend(submission.app), warnings.catch_warnings():
            warnings.simplefilter("ignore", CanvasWarning)  # the run itself warns
            return prepare_submission(submission, on)
    except TypeError as error:
        raise BadArguments(f"the arguments do not fit: {error}") from error
    except EncodeError as error:
        raise UnserialisableValue(f"a value cannot be sent as JSON: {error}") from error


def deviations_of(submission: Submission) -> list[str]:
    """Where Celery would do otherwise than it documents, in words; none for a strict run."""
    if submission.strict:
        return []
    with memory_backend(submission.app):
        prepared = prepare(
            submission.app,
            submission.signature,
            submission.args,
            submission.kwargs,
            submission.options,
        )
    return [deviation.value for deviation in prepared.deviations]


@dataclass(frozen=True, slots=True)
class Freezer:
    """What ``freeze()`` of each kind of signature does, on a plan.

    Celery's own cannot be used on plans: it would apply its rules a second time, and unroll a
    group of one that the rules have left a group.
    """

    app: Celery

    def freeze(
        self, node: Node, task_id: str | None = None, group_index: int | None = None
    ) -> tuple[Node, Any]:
        """The node with ids, those it has kept, and its result with parents."""
        match node:
            case Chain(steps=steps):
                return self._chain(node, steps, task_id, group_index)
            case Group():
                return self._group(node)
            case Chord():
                return self._chord(node, task_id, group_index)
            case _:
                return self._leaf(node, task_id, group_index)

    def _leaf(self, node: Node, task_id: str | None, group_index: int | None) -> tuple[Node, Any]:
        own = node.options.task_id or task_id or uuid()
        index = node.options.group_index if group_index is None else group_index
        task: Any = self.app.tasks.get(node.name) if isinstance(node, Task) else None
        result = AsyncResult(own, app=self.app) if task is None else task.AsyncResult(own)
        return with_options(node, task_id=own, group_index=index), result

    def _group(self, group: Group) -> tuple[Group, Any]:
        frozen = [self.freeze(member, None, i) for i, member in enumerate(group.members)]
        own = group.options.task_id or uuid()
        members = tuple(member for member, _ in frozen)
        results = [result for _, result in frozen]
        if handed_on(group):
            # The caller has it once as well.
            return replace(group, members=members, options=Options(task_id=own)), results[0]
        result = self.app.GroupResult(own, results)
        return replace(group, members=members, options=Options(task_id=own)), result

    def _chord(
        self, chord: Chord, task_id: str | None, group_index: int | None
    ) -> tuple[Chord, Any]:
        assert chord.body is not None  # noqa: S101  # plans have bodies
        header, header_result = self._group(chord.header)
        body, result = self.freeze(chord.body, task_id, group_index)
        _first(result).parent = header_result
        return replace(chord, header=header, body=body), result

    def _chain(
        self,
        chain: Chain,
        steps: Sequence[Node],
        task_id: str | None,
        group_index: int | None,
    ) -> tuple[Chain, Any]:
        *before, last = steps
        frozen = [self.freeze(step) for step in before] + [self.freeze(last, task_id, group_index)]
        for (_, result), (_, following) in itertools.pairwise(frozen):
            _first(following).parent = result
        return replace(chain, steps=tuple(step for step, _ in frozen)), frozen[-1][1]


def _first(result: Any) -> Any:
    """The earliest ancestor: what has to come before ``result`` comes before that."""
    while result.parent is not None:
        result = result.parent
    return result


def signature_of(app: Celery, node: Node) -> Any:
    """The Celery signature of ``node``, with ``app`` on every part of it.

    Celery leaves inner signatures that come out of a dictionary without an app, and those then
    belong to whichever app is current.
    """
    made: Any = celery_signature(lower(node), app=app)
    waiting = [made]
    while waiting:
        part = waiting.pop()
        part._app = app  # noqa: SLF001  # what maybe_signature does
        inner = part.kwargs if part.subtask_type in {"chain", "group", "chord"} else {}
        waiting += [*(inner.get("tasks") or ()), *(inner.get("header") or ())]
        if inner.get("body") is not None:
            waiting.append(inner["body"])
    return made


def warn_of(deviations: frozenset[Deviation]) -> None:
    """Warn once for each place where Celery would do otherwise; the place is the caller's."""
    level, frame = 1, sys._getframe()  # noqa: SLF001  # as warnings.warn does, to count its levels
    while frame.f_back is not None and _package(frame) in _NOT_THE_CALLER:
        level, frame = level + 1, frame.f_back
    for deviation in sorted(deviations, key=lambda item: item.name):
        warnings.warn(CanvasWarning(deviation.value), stacklevel=level)


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]


def check_arguments(app: Celery, task: Task) -> None:
    """Bind the arguments to the task's parameters, as ``Task.apply_async`` does.

    Raises:
        TypeError: they do not fit.
    """
    registered = app.tasks.get(task.name)
    if registered is None or not registered.typing:
        return
    header = getattr(registered, "__header__", None)
    if header is not None:
        header(*task.args, **dict(task.kwargs))


def _opaque(plan: Node) -> Node:
    """The plan with its values as plain JSON, the form in which the walker carries them."""
    try:
        return wire.loads(wire.dumps(plan), opaque=True)
    except UnserialisableValue as error:
        # What Celery raises when it publishes such a message.
        raise EncodeError(error.__cause__ or error) from error


def _with_class_options(app: Celery, node: Node) -> Node:
    match node:
        case Task(name=name):
            return _of_class(app, node, name)
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


def _of_class(app: Celery, node: Node, name: str) -> Node:
    task = app.tasks.get(name)
    given = {
        option: setting
        for option in _CLASS_OPTIONS
        if (setting := getattr(task, option, None)) is not None
    }
    if not given:
        return node
    own = node.options
    merged = merge(lift_options(given, name), own)
    return replace(node, options=merged) if merged != own else node
