"""What follows a task in its chain, and what the task has made of it.

A task may change ``self.request.chain`` while it runs: leave steps out, add others, change their
arguments. Its outcome then says so (``TaskOutcome.rest``), and the walk goes on with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from offcanvas.canvas import wire
from offcanvas.canvas.calls import TaskCall
from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import Leaf, Node, Task, children
from offcanvas.canvas.planner import entries

#: Tasks of the following steps that a task is told of in full. Each task of a chain is sent what
#: follows it, so that all of it would be the square of the chain's length.
NEAR = 30

Change = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A step to come. ``number`` is its place in the list that a task was sent, None if new."""

    node: Node
    number: int | None = None


def steps_of(nodes: Iterable[Node]) -> list[Step]:
    """The steps as they are sent."""
    return [Step(node, number) for number, node in enumerate(nodes)]


def near(steps: Sequence[Step]) -> tuple[tuple[dict[str, Any], ...], int]:
    """The signatures of the first steps, and how many are not among them."""
    told: list[dict[str, Any]] = []
    left = NEAR
    for step in steps:
        left -= _tasks(step.node, left)
        if left < 0:
            break
        told.append(lower(step.node))
    return tuple(told), len(steps) - len(told)


def _tasks(node: Node, most: int) -> int:
    """How many tasks the node holds, counted up to one more than ``most``."""
    if isinstance(node, Leaf):
        return 1
    count = 0
    for child in children(node):
        count += _tasks(child, most - count)
        if count > most:
            break
    return count


def changed(steps: Sequence[Step], rest: Sequence[Change]) -> list[Step]:
    """The steps after a task that was sent ``steps`` has made ``rest`` of them."""
    return [_changed(steps, one) for one in rest]


def _changed(steps: Sequence[Step], change: Change) -> Step:
    number = change.get("step")
    before = None if number is None else steps[number]
    node = wire.node_of(change["node"]) if "node" in change else None
    if before is None:
        assert node is not None  # noqa: S101  # what is new is there
        return Step(node)
    return before if node is None else Step(node, before.number)


def told(steps: Sequence[Step], given: Sequence[Node]) -> tuple[Change, ...] | None:
    """The steps as a change of ``given``, None if they are the same."""
    if [step.number for step in steps] == list(range(len(given))) and all(
        step.node is node for step, node in zip(steps, given, strict=True)
    ):
        return None
    return tuple(_told(step, given) for step in steps)


def _told(step: Step, given: Sequence[Node]) -> Change:
    if step.number is None:
        return {"node": wire.plain(step.node, paged=True)}
    if step.node is given[step.number]:
        return {"step": step.number}
    return {"step": step.number, "node": wire.plain(step.node, paged=True)}


def sent(call: TaskCall, steps: Sequence[Step]) -> TaskCall:
    """The call that tells its task what follows it."""
    told_of, far = near(steps)
    return replace(call, near=told_of, far=far)


def parted(
    made: Sequence[Step], ours: Sequence[Step], theirs: Sequence[Step], last: int, *, done: bool
) -> tuple[list[Step], list[Step]]:
    """What a task has made of ``[*ours, *theirs]``, as steps of its own chain and what follows.

    The chain goes as far as the step whose result is its result, number ``last``; without that one
    as far as the first step that was not its own. ``done``: the task was that step.
    """
    named: list[Step] = []
    own: list[bool] = []
    for step in made:
        within = step.number is not None and step.number < len(ours)
        if step.number is None:
            named.append(step)
        elif within:
            named.append(Step(step.node, ours[step.number].number))
        else:
            named.append(Step(step.node, theirs[step.number - len(ours)].number))
        own.append(within or step.number is None)
    if done:
        return [], named
    ends = [
        place
        for place, step in enumerate(named)
        if own[place] and step.number == last
    ]  # fmt: skip
    strangers = [place for place, mine in enumerate(own) if not mine]
    until = ends[0] + 1 if ends else strangers[0] if strangers else len(named)
    return named[:until], named[until:]


def shapes(then: Node | None) -> tuple[dict[str, Any], ...]:
    """One signature for each way in which a predecessor's value will be passed on.

    Ten thousand equal members need the check once.
    """
    found: dict[object, Task] = {}
    if then is not None:
        for task in entries(then):
            shape = (task.name, len(task.args), tuple(sorted(dict(task.kwargs))), task.immutable)
            found.setdefault(shape, task)
    # A value is encoded only if somebody takes it: those who do come first.
    return tuple(
        {
            "task": task.name,
            "args": [None] * len(task.args),
            "kwargs": dict.fromkeys(dict(task.kwargs)),
            "options": {"task_id": task.options.task_id},
            "subtask_type": None,
            "immutable": task.immutable,
        }
        for task in sorted(found.values(), key=lambda task: task.immutable)
    )
