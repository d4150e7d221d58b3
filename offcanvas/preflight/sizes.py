"""The numbers that a user names: how wide groups become, and how large values are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from offcanvas.canvas.calls import TaskCall
from offcanvas.canvas.nodes import (
    Chain,
    Chord,
    Chunks,
    Group,
    Map,
    Node,
    Starmap,
    Task,
    Value,
    children,
    walk,
)
from offcanvas.errors import UsageError

#: Bytes of a result of which nothing is said.
UNKNOWN = 100


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the user says of a canvas.

    Attributes:
        widths: name -> members. A name is that of a task in a group (in full or its last part), or
            of a parameter of the function that makes the canvas.
        results: task's name -> bytes of its result as JSON.
    """

    widths: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, int] = field(default_factory=dict)

    def of(self, call: TaskCall) -> int:
        """Bytes of the result of a call."""
        for name in (call.name, call.name.rpartition(".")[2]):
            if name in self.results:
                return self.results[name]
        return UNKNOWN

    def check(self, node: Node) -> None:
        """Whether the canvas has the tasks whose results are told.

        Raises:
            UsageError: it has not.
        """
        names = {place.node.name for place in walk(node) if isinstance(place.node, Task)}
        names |= {
            place.node.task.name
            for place in walk(node)
            if isinstance(place.node, Map | Starmap | Chunks)
        }
        for task in self.results:
            if not any(task in {name, name.rpartition(".")[2]} for name in names):
                there_are = ", ".join(sorted(names))
                raise UsageError(
                    f"--bytes {task}.result: the canvas has no task {task}; there are {there_are}"
                )


def read_sizes(sizes: Sequence[str], results: Sequence[str]) -> Sizes:
    """What `--size name=N` and `--bytes task.result=N` say.

    Raises:
        UsageError: not of that form, no whole number, or a name that is given twice.
    """
    widths = dict(_pairs(sizes, "--size", "name=N, for example --size charge=2500"))
    bytes_ = {}
    for name, number in _pairs(results, "--bytes", "task.result=N, for example charge.result=300"):
        task, dot, what = name.rpartition(".")
        if not dot or what != "result":
            raise UsageError(f"--bytes {name}={number}: write task.result=N")
        bytes_[task] = number
    return Sizes(widths, bytes_)


def _pairs(given: Sequence[str], option: str, form: str) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for one in given:
        name, equals, text = one.partition("=")
        digits = text.strip().replace("_", "").replace(",", "")
        if not equals or not name.strip():
            raise UsageError(f"{option} {one}: write {form}")
        if not (digits.isascii() and digits.isdigit()):
            raise UsageError(f"{option} {one}: write a whole number, without a sign")
        if option == "--size" and not int(digits):
            raise UsageError(f"{option} {one}: write 1 or more")
        if len(digits) > 9:
            raise UsageError(f"{option} {one}: write less than a thousand million")
        if name.strip() in found:
            raise UsageError(f"{option} {one}: {name.strip()} is given twice")
        found[name.strip()] = int(digits)
    return [*found.items()]


def groups_of(node: Node) -> dict[str, int]:
    """Groups by the names of their members' tasks -> how many members, those of the widest."""
    found: dict[str, int] = {}
    waiting = [node]
    while waiting:
        one = waiting.pop()
        waiting += children(one)
        if isinstance(one, Group):
            for name in {n for member in one.members for n in _named(member)}:
                found[name] = max(found.get(name, 0), len(one.members))
        elif isinstance(one, Map | Starmap | Chunks):
            found[one.task.name] = max(found.get(one.task.name, 0), len(one.items))
    return found


def _named(member: Node) -> set[str]:
    """The tasks of a member that stands for itself: its own, not those of groups inside."""
    match member:
        case Task(name=name):
            return {name}
        case Chain(steps=steps):
            return {name for step in steps for name in _named(step)}
        case Chord(body=body) if body is not None:
            return _named(body)
        case _:
            return set()


def widened(node: Node, widths: Mapping[str, int]) -> Node:
    """The canvas with so many members in the groups named; those it has are repeated.

    Raises:
        UsageError: no group has members of that name.
    """
    made = node
    for name, width in widths.items():
        known = {n for n in groups_of(node) if name in {n, n.rpartition(".")[2]}}
        if not known:
            there_are = ", ".join(sorted(groups_of(node))) or "none: the canvas has no group"
            raise UsageError(
                f"--size {name}: neither a parameter nor a task in a group; "
                f"tasks in groups: {there_are}"
            )
        made = _widen(made, known, width)
    return made


def _widen(node: Node, names: set[str], width: int) -> Node:
    match node:
        case Chain(steps=steps):
            return replace(node, steps=tuple(_widen(step, names, width) for step in steps))
        case Group(members=members):
            inner = tuple(_widen(member, names, width) for member in members)
            if any(_named(member) & names for member in members):
                inner = tuple(islice(cycle(inner), width))
            return replace(node, members=inner)
        case Chord(header=header, body=body):
            wide = _widen(header, names, width)
            assert isinstance(wide, Group)  # noqa: S101  # a group stays one
            last = None if body is None else _widen(body, names, width)
            return replace(node, header=wide, body=last)
        case Map(task=task, items=items) | Starmap(task=task, items=items):
            return replace(node, items=_repeated(items, width)) if task.name in names else node
        case Chunks(task=task, items=items):
            return replace(node, items=_repeated(items, width)) if task.name in names else node
        case _:
            return node


def _repeated(items: tuple[Value, ...], width: int) -> tuple[Value, ...]:
    return tuple(islice(cycle(items), width))
