"""Nodes as a text tree and as a Mermaid flowchart. ``svg.py`` draws them.

Wide groups are cut: the first members, then how many more there are. A drawing of ten thousand
boxes shows nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

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
    kind,
)
from offcanvas.printable import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Members of a group that are drawn before the rest is counted.
WIDTH = 6
_TEXT = 32
_HIDDEN = frozenset(
    {"task_id", "root_id", "parent_id", "group_id", "group_index"}
    | {"link", "link_error", "sent_beside", "stamps"}
)


def label(node: Node) -> str:
    """One line for ``node`` itself: ``orders.charge(5, currency='EUR')``, ``group of 3``."""
    return escaped(_label(node))


def _label(node: Node) -> str:
    match node:
        case Task(name=name):
            return f"{name}({_call(node)})"
        case Map(task=task, items=items) | Starmap(task=task, items=items):
            return f"{kind(node)} of {task.name} over {_count(len(items), 'item')}"
        case Chunks(task=task, items=items, size=size):
            return f"chunks of {task.name} over {_count(len(items), 'item')}, {size:,} at a time"
        case Chain(steps=steps):
            return f"chain of {_count(len(steps), 'step')}"
        case Group(members=members):
            return f"group of {len(members):,}" if members else "empty group"
        case Chord(header=header):
            return f"chord over {len(header.members):,}"
        case _:
            return kind(node)


def notes(node: Node) -> str:
    """Options worth a word beside the label: ``immutable, queue=mail, countdown=5``."""
    words = ["immutable"] if node.immutable and isinstance(node, Task | Chain) else []
    words += [
        f"{field.name}={value}"
        for field in fields(Options)
        if field.name not in _HIDDEN | {"extra"}
        and (value := getattr(node.options, field.name)) is not None
    ]
    words += [f"{name}={_short(value)}" for name, value in node.options.extra]
    words += [f"stamp {name}={_short(value)}" for name, value in node.options.stamps]
    return escaped(", ".join(words))


def _call(task: Task) -> str:
    words = [_short(arg) for arg in task.args]
    words += [f"{name}={_short(value)}" for name, value in task.kwargs]
    return ", ".join(words)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def cut(members: Sequence[Node]) -> tuple[Sequence[Node], str]:
    """The members to draw, and a line for the rest (empty when all are drawn)."""
    if len(members) <= WIDTH:
        return members, ""
    rest = members[WIDTH - 1 :]
    names = Counter(member.name if isinstance(member, Task) else kind(member) for member in rest)
    what = ", ".join(f"{number:,} x {name}" for name, number in names.most_common(3))
    more = "" if len(names) <= 3 else " and others"
    return members[: WIDTH - 1], escaped(f"{len(rest):,} more: {what}{more}")


def tree(node: Node) -> str:
    """``node`` as an indented tree, one node on a line, callbacks after what they are linked to."""
    return "\n".join(_tree(node, "", "", "")) + "\n"


def _tree(node: Node, role: str, first: str, rest: str) -> Iterator[str]:
    note = notes(node)
    yield f"{first}{role}{label(node)}" + (f"  [{note}]" if note else "")
    branches = list(_branches(node))
    for position, (word, branch) in enumerate(branches):
        last = position == len(branches) - 1
        stem, below = ("└── ", "    ") if last else ("├── ", "│   ")
        if isinstance(branch, str):
            yield f"{rest}{stem}{word}{branch}"
        else:
            yield from _tree(branch, word, rest + stem, rest + below)


def _branches(node: Node) -> Iterator[tuple[str, Node | str]]:
    match node:
        case Chain(steps=steps):
            for number, step in enumerate(steps, 1):
                yield f"{number}. ", step
        case Group(members=members):
            yield from _members(members)
        case Chord(header=header, body=body):
            yield from _members(header.members)
            yield ("body: ", body) if body is not None else ("body: ", "none")
        case _:
            pass
    yield from (("on success: ", callback) for callback in node.options.link)
    yield from (("on error: ", errback) for errback in node.options.link_error)


def _members(members: Sequence[Node]) -> Iterator[tuple[str, Node | str]]:
    shown, more = cut(members)
    yield from (("", member) for member in shown)
    if more:
        yield "", more


def mermaid(node: Node) -> str:
    """``node`` as a Mermaid flowchart, left to right; callbacks hang on dotted arrows."""
    chart = _Chart()
    chart.add(node, 1)
    return "\n".join(["flowchart LR", *chart.lines, *chart.arrows]) + "\n"


class _Chart:
    """Mermaid lines in the making; boxes are numbered n0, n1 ... in the order written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrows: list[str] = []
        self.count = 0

    def add(self, node: Node, depth: int) -> tuple[list[str], list[str]]:
        """Write ``node``; returns the boxes arrows enter by and the boxes they leave from."""
        match node:
            case Chain(steps=steps) if steps:
                ends = self._chain(steps, depth)
            case Group(members=members) if members:
                ends = self._group(members, label(node), depth)
            case Chord(header=header, body=body) if header.members:
                ends = self._chord(header, body, depth)
            case Chord(body=body) if body is not None:
                ends = self.add(body, depth)
            case _:
                box = self._box(_lines(node), depth)
                ends = [box], [box]
        self._callbacks(node, ends[1], depth)
        return ends

    def _chain(self, steps: Sequence[Node], depth: int) -> tuple[list[str], list[str]]:
        first: list[str] = []
        last: list[str] = []
        for step in steps:
            entries, exits = self.add(step, depth)
            self._connect(last, entries)
            first, last = first or entries, exits
        return first, last

    def _group(
        self, members: Sequence[Node], title: str, depth: int
    ) -> tuple[list[str], list[str]]:
        # Arrows end at the frame: one arrow in and one out, however many members there are.
        frame = f"g{self._next()}"
        self._line(f'subgraph {frame}["{_escape(title)}"]', depth)
        shown, more = cut(members)
        for member in shown:
            self.add(member, depth + 1)
        if more:
            self._box([more], depth + 1)
        self._line("end", depth)
        return [frame], [frame]

    def _chord(self, header: Group, body: Node | None, depth: int) -> tuple[list[str], list[str]]:
        title = f"chord header of {len(header.members):,}"
        entries, exits = self._group(header.members, title, depth)
        if body is None:
            return entries, exits
        into, out = self.add(body, depth)
        self._connect(exits, into)
        return entries, out

    def _callbacks(self, node: Node, exits: Sequence[str], depth: int) -> None:
        for word, callbacks in (
            ("on success", node.options.link),
            ("on error", node.options.link_error),
        ):
            for callback in callbacks:
                into, _ = self.add(callback, depth)
                self._connect(exits, into, f"-. {word} .->")

    def _connect(self, exits: Iterable[str], entries: Sequence[str], arrow: str = "-->") -> None:
        self.arrows += [f"    {left} {arrow} {right}" for left in exits for right in entries]

    def _box(self, lines: Sequence[str], depth: int) -> str:
        box = f"n{self._next()}"
        self._line(f'{box}["{"<br/>".join(map(_escape, lines))}"]', depth)
        return box

    def _next(self) -> int:
        self.count += 1
        return self.count - 1

    def _line(self, text: str, depth: int) -> None:
        self.lines.append("    " * depth + text)


def _lines(node: Node) -> list[str]:
    note = notes(node)
    return [label(node), note] if note else [label(node)]


def _escape(text: str) -> str:
    # Mermaid reads quotes and hashes in labels; entities are its own way to write them.
    text = text.replace("#", "#35;").replace('"', "#quot;").replace("`", "#96;")
    return text.replace("<", "#lt;").replace(">", "#gt;")
