"""Ids for a plan, and the result object that its caller holds.

``freeze`` gives a plan ids and builds the tree of Celery's ``AsyncResult`` and ``GroupResult``, so
that what the caller holds is what Celery would have given, and reads the states that the engine
stores.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from celery import signature as celery_signature
from celery.result import AsyncResult
from kombu.utils.uuid import uuid

from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import Chain, Chord, Group, Leaf, Node, Options, Task, with_options
from offcanvas.canvas.planner import handed_on
from offcanvas.celery_app.planning import Planned, Submission, plan, plan_step
from offcanvas.celery_app.results import GroupResult

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True, slots=True)
class Prepared:
    """A canvas ready to run.

    Attributes:
        plan: nodes with ids; None for an empty chain, which Celery does not run either.
        result: what ``apply_async`` returns: an AsyncResult, a GroupResult, or None.
        alone: see ``Planned``.
        strict: see ``Submission``.
    """

    plan: Node | None
    result: Any
    alone: bool = False
    strict: bool = False


def prepare(
    app: Celery,
    signature: Mapping[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
    allow_unregistered: bool = False,
) -> Prepared:
    """``signature.apply_async(args, kwargs, **options)``, planned and frozen; see ``plan``."""
    submission = Submission(app, signature, args, kwargs or {}, options or {}, strict)
    return freeze(plan(submission, allow_unregistered=allow_unregistered))


def freeze(planned: Planned) -> Prepared:
    """Give the plan ids, those that the canvas sets and new ones, and make its result.

    Each call gives new ids, so that one plan can be run several times.
    """
    if planned.plan is None:
        return Prepared(None, None)
    frozen, result = Freezer(planned.submission.app).freeze(planned.plan)
    if isinstance(frozen, Chord):
        # _chord.run makes the header the parent of what it returns, whatever the body is.
        result.parent = _first(result)
    if isinstance(frozen, Group) and len(result) == 1 and isinstance(result[0], GroupResult):
        result = result[0]  # Celery's special case for group(a | group(b, c))
    if isinstance(frozen, Leaf) and (planned.alone or _is_chain(planned.submission.signature)):
        # Nobody stores a result, and get() does not wait for one; only send_task says so.
        result.ignored = _ignores(planned.submission.app, frozen)
    return Prepared(frozen, result, planned.alone, planned.submission.strict)


def step_of(app: Celery, signature: Mapping[str, Any], *, strict: bool = False) -> Node:
    """``planning.plan_step``, with ids."""
    node, _ = Freezer(app).freeze(plan_step(app, signature, strict=strict))
    return node


def _is_chain(signature: Mapping[str, Any]) -> bool:
    """Whether it is a chain, and of tasks: one that comes to one task gives its very result.

    Celery leaves out groups without members, and takes a group of one for its member.
    """
    return signature.get("subtask_type") == "chain" and _is_of_tasks(signature)


def _is_of_tasks(signature: Mapping[str, Any]) -> bool:
    kind = signature.get("subtask_type")
    if kind not in {"chain", "group"}:
        return kind is None
    members = signature["kwargs"]["tasks"]
    return (kind == "chain" or len(members) < 2) and all(map(_is_of_tasks, members))


def _ignores(app: Celery, task: Node) -> bool:
    if task.options.ignore_result is not None:
        return task.options.ignore_result
    return isinstance(task, Task) and bool(getattr(app.tasks.get(task.name), "ignore_result", None))


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
        result = GroupResult(self.app, own, results)
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
