"""Decisions that follow from the shape of a canvas: callbacks, times, widths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from offcanvas.canvas.planner import Deviation
from offcanvas.port.ir import Choice, Each, Join, Node, Part, Seq, Side, Spread, members, walk
from offcanvas.port.source import WIDE, width

if TYPE_CHECKING:
    from offcanvas.port.ir import Errback, Note, Place

#: A code, where it arises, and what is said.
Said: TypeAlias = "tuple[str, Place, str]"

#: Differences between what Celery does and what it documents that the source may show, and how the
#: note says so: its code and words in it.
SHOWN: Final = {
    Deviation.NESTED_GROUP_ORDER: ("PORT145", Deviation.NESTED_GROUP_ORDER.value),
    Deviation.CHUNKS_INSIDE: ("PORT146", ""),
}


#: Of a chord in a group or in the body of another chord.
_QUOTED: Final = "who waits for what it stands in is told the member's error, no ChordError"


def shown(notes: Iterable[Note]) -> set[Deviation]:
    """The differences that these notes tell of, by the line that shows them."""
    return {
        deviation
        for note in notes
        for deviation, (code, words) in SHOWN.items()
        if note.code == code and words in note.message
    }


def shape_notes(root: Node) -> Iterator[Said]:
    """Code, place and message of each decision, once for each place."""
    yield from dict.fromkeys(_all(root))


def _all(root: Node) -> Iterator[Said]:
    for part in walk(root):
        if not isinstance(part, Node):
            continue
        if part.links:
            yield "PORT120", part.place, "its links come before the next step"
        for errback in part.errbacks:
            if errback.style == "old":
                task = errback.step.task
                yield "PORT121", part.place, f"{task} is told the id of the run, not of a task"
        if part.options.eta:
            yield "PORT123", part.place, f"eta={part.options.eta} is a wait"
        if isinstance(part, Join) and any(e.style == "new" for e in _of_body(part.body)):
            yield "PORT122", part.place, "its errbacks are told the member's error, no ChordError"
        if isinstance(part, Join):
            for chord in (one for one in walk(part.body) if isinstance(one, Join)):
                yield "PORT122", chord.place, _QUOTED
        if isinstance(part, Join) and isinstance(part.body, Side) and not part.body.parts:
            yield "PORT145", part.place, "a header fails as a whole; Celery's empty body hides it"
        if isinstance(part, Side) and _is_wide(part):
            yield "PORT125", part.place, "only the run tells how wide it is"
        if isinstance(part, Side):
            for chord in filter(None, map(_chord_at_the_end, part.parts)):
                yield "PORT122", chord.place, _QUOTED
            for inner in _nested(part.parts):
                yield "PORT145", inner.place, Deviation.NESTED_GROUP_ORDER.value
        if isinstance(part, Spread) and part.word == "chunks" and part is not root:
            yield "PORT146", part.place, "its parts' results are in the list; on Celery their ids"


def _chord_at_the_end(part: Part) -> Join | None:
    """The chord whose result is that of a member of a group; of several, the first."""
    for node in members((part,)):
        match node:
            case Join():
                return node
            case Seq(parts=(*_, last)):
                chord = _chord_at_the_end(last)
            case Choice(then=then, orelse=orelse):
                chord = _chord_at_the_end(then) or _chord_at_the_end(orelse)
            case _:
                chord = None
        if chord is not None:
            return chord
    return None


def _nested(parts: Iterable[Part]) -> Iterator[Side]:
    """Groups of more than one member directly in a group, under loops and conditions too."""
    for node in members(parts):
        match node:
            case Side(parts=inner) if len(inner) > 1 or any(isinstance(p, Each) for p in inner):
                yield node
            case Choice(then=one, orelse=other):
                yield from _nested((one, other))
            case _:
                pass


def _of_body(body: Node) -> tuple[Errback, ...]:
    """The errbacks of what follows a header, with those of a group's members."""
    inside = [part for part in walk(body) if isinstance(part, Node)]
    return tuple(errback for part in inside for errback in part.errbacks)


def _is_wide(group: Side) -> bool:
    """Whether only the run tells how many members a group has."""
    return any(
        isinstance(part, Each) and ((found := width(part.over)) is None or found > WIDE)
        for member in group.parts
        for part in walk(member)
    )
