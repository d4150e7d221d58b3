"""What a local name stands for while a builder is read."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from offcanvas.port.ir import Join, Node, Part, Place, Seq, Side, Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offcanvas.audit.module import Module


class NotReadError(Exception):
    """A construct that the reader does not know; the caller turns it into a todo or a refusal."""

    def __init__(self, code: str, line: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.line = line
        self.why = why


@dataclass(slots=True)
class Data:
    """An expression over inputs, loaded data and loop variables."""

    text: str


@dataclass(slots=True)
class Built:
    """A canvas."""

    node: Node


@dataclass(slots=True)
class Listed:
    """A list of canvases that is being filled.

    before: what was in it when the branch or loop began that is read. grows: it is filled in a
    loop that is read.
    """

    parts: list[Part] = field(default_factory=list)
    before: tuple[Part, ...] = ()
    grows: bool = False

    @property
    def every(self) -> list[Part]:
        """All that is in it."""
        return [*self.before, *self.parts]


@dataclass(slots=True)
class Piped:
    """A canvas that grows by ``|=``; ``before`` and ``grows`` as of ``Listed``."""

    parts: list[Part] = field(default_factory=list)
    before: tuple[Part, ...] = ()
    grows: bool = False


@dataclass(slots=True)
class Sent:
    """The result object of a canvas that was sent."""

    node: Node


@dataclass(slots=True)
class TaskObject:
    """A task handed in to a helper, or put into a variable."""

    expr: ast.expr
    module: Module


Value: TypeAlias = Data | Built | Listed | Piped | Sent | TaskObject


def as_node(value: Value, place: Place) -> Node | None:
    """The canvas that a value is, or None."""
    match value:
        case Built(node=node):
            return node
        case Piped(parts=parts):
            if value.grows:
                why = "a canvas is used in the loop that makes it grow"
                raise NotReadError("PORT215", place.line, why)
            return sequence([*value.before, *parts], place, piped=True)
        case _:
            return None


def sequence(parts: Sequence[Part], place: Place, *, piped: bool) -> Node:
    """The chain of these parts, folded as Celery's ``|`` folds them.

    A group with something after it is the header of a chord, and what follows a chord goes into
    its body (``_chain.__or__``, ``_chord.__or__`` of Celery 5.7).
    """
    folded: list[Part] = []
    for part in _spliced(parts):
        last = folded[-1] if folded else None
        # group | group is a chord whose body is a group; behind something else it is a step.
        fits = not isinstance(part, Side) or (piped and len(folded) == 1)
        if isinstance(part, Node) and isinstance(last, Side) and fits:
            folded[-1] = Join(header=last, body=part, place=last.place)
        elif isinstance(part, Node) and isinstance(last, Join) and not isinstance(part, Side):
            body = sequence((last.body, part), last.body.place, piped=True)
            folded[-1] = replace(last, body=body)
        else:
            folded.append(part)
    # A chord alone in chain(...) is still inside of a chain, where its body is spread out. So are a
    # group and chunks, whose list of results stays a list in a group around the chain.
    kept = () if piped else (Join, Side, Spread)
    if len(folded) == 1 and isinstance(folded[0], Node) and not isinstance(folded[0], kept):
        return folded[0]
    return Seq(parts=tuple(folded), place=place, piped=piped)


def _spliced(parts: Sequence[Part]) -> list[Part]:
    """Chains inside a chain, without options of their own, are spread out."""
    spread: list[Part] = []
    for part in parts:
        plain = isinstance(part, Seq) and not (part.links or part.errbacks)
        if isinstance(part, Seq) and plain:
            spread += _spliced(part.parts)
        else:
            spread.append(part)
    return spread


def unrolled(side: Node) -> Node:
    """A group of one member inside a chain is that member (``maybe_unroll_group``)."""
    if isinstance(side, Side) and len(side.parts) == 1 and isinstance(side.parts[0], Node):
        return side.parts[0]
    return side
