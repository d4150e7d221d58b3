"""Parts of a wide group that are walked elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from offcanvas.canvas.calls import Branch
from offcanvas.canvas.nodes import Leaf, Node, children
from offcanvas.canvas.wire import Pages
from offcanvas.engines.driver import Members


def sliced(branches: Sequence[Branch], width: int) -> Iterator[slice]:
    """Parts of at most ``width`` tasks each; a branch is never cut."""
    start = weight = 0
    for position, tasks in enumerate(_weights(branches)):
        if position > start and weight + tasks > width:
            yield slice(start, position)
            start, weight = position, 0
        weight += tasks
    if branches:
        yield slice(start, len(branches))


def _weights(branches: Sequence[Branch]) -> Iterator[int]:
    if isinstance(branches, Members) and isinstance(branches.group.members, Pages):
        yield from branches.group.members.tasks()
    else:
        for branch in branches:
            yield _tasks(branch.node)


def _tasks(node: Node) -> int:
    """How many tasks the node holds, those of callbacks left out."""
    if isinstance(node, Leaf):
        return 1
    return sum(map(_tasks, children(node)))
