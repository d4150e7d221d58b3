"""What an engine says about every part of a canvas, as data.

Every engine has a ``Table``: a level and a note for every feature. Tables are total (a test sees to
it), are looked at before anything starts, and are what the documentation is made of::

    python -m offcanvas.engines.support > docs/support.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from offcanvas.canvas.nodes import KINDS, NO_OPTIONS, Node, Options, Place, kind, walk
from offcanvas.canvas.rules import Deviation
from offcanvas.engines.base import ENGINES, Gap, engine
from offcanvas.errors import UnsupportedCanvas


class Level(StrEnum):
    """How close an engine comes to Celery."""

    EXACT = "exact"
    LOWERED = "lowered"
    DIFFERS = "differs"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Support:
    """One cell: for anything but EXACT the note says how, what to decide, or why not."""

    level: Level
    note: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.EXACT and not self.note:
            raise ValueError(f"{self.level} needs a note")


EXACT = Support(Level.EXACT)


def lowered(note: str) -> Support:
    """The engine has no such thing; ``note`` says what stands in, with the same meaning."""
    return Support(Level.LOWERED, note)


def differs(note: str) -> Support:
    """The meaning changes; ``note`` says how, and what to decide."""
    return Support(Level.DIFFERS, note)


def unsupported(note: str) -> Support:
    """A canvas with it is refused; ``note`` says why, and what to do instead."""
    return Support(Level.UNSUPPORTED, note)


#: Ids are the plan's business, on every engine.
_IDS = frozenset({"task_id", "root_id", "parent_id", "group_id", "group_index", "retries"})
_NOT_OPTIONS = _IDS | {"replaced_task_nesting"}

NODES = tuple(f"node: {word}" for word in KINDS)
OPTIONS = tuple(f"option: {item.name}" for item in fields(Options) if item.name not in _NOT_OPTIONS)
#: What tasks do while they run, and what the platform does around them.
BEHAVIOUR = (
    "in a task: self.retry and autoretry_for",
    "in a task: self.replace",
    "in a task: self.add_to_chord",
    "in a task: canvases started inside",
    "in a task: self.request",
    "in a task: result.get() is refused",
    "in a task: result.revoke()",
    "hooks of custom bases, signals of tasks",
    "signals of messages: before_task_publish, after_task_publish, task_received",
    "a generator for a header",
    "values of the JSON serializer",
    "values of other serializers",
    "Ignore and Reject",
    "a result that the serializer refuses",
    "exceptions as Celery stores them",
    "results in the app's result backend",
    "a worker that is killed",
)
#: Where Celery 5.7 does not do what it documents; the default is what it documents.
DEVIATIONS = tuple(f"deviation: {item.name.lower()}" for item in Deviation)
#: Where Celery 5.7 leaves its caller waiting for ever.
HANGS = (
    "hang: a failed chain that ends in a group (celery/celery#4004, #6437)",
    "hang: an empty group for the body of a chord",
    "hang: a failed header of a chord inside a header",
    "hang: one chain for a header, around one group, empty or with a chord in it",
    "hang: a group of chords and others at the end of a part of a header",
    "hang: a failed chord with a chord for a body, inside a canvas",
    "hang: Ignore in a chain, group or chord",
    "fails: an empty chain where a task has to be",
    "lost: callbacks that follow self.replace(group) in a chain",
    "lost: errbacks around a chord with an empty header, inside a header",
    "twice: an errback of a group for a body, and of the chain around its chord",
)

#: What Celery 5.6 still does and 5.7 no longer; engines do as 5.7 does whichever is installed.
OLDER = (
    "Celery 5.6 only: a chord in a group with a chain for its body hangs (celery/celery#6734)",
    "Celery 5.6 only: callbacks of a task that a chain replaces are called twice",
    "Celery 5.6 only: an errback that raises takes the others with it (celery/celery#10214)",
    "Celery 5.6 only: chains with a group of one or none, or three (celery/celery#9772)",
)

FEATURES = (*NODES, *OPTIONS, *BEHAVIOUR, *DEVIATIONS, *HANGS, *OLDER)

Table = Mapping[str, Support]


def total(rows: Mapping[str, Support]) -> Table:
    """A table from the rows that are not exact.

    Raises:
        KeyError: a row that is no feature.
    """
    unknown = rows.keys() - set(FEATURES)
    if unknown:
        raise KeyError(f"no such feature: {', '.join(sorted(unknown))}")
    older = dict.fromkeys(OLDER, differs("as Celery 5.7 does"))
    return {feature: rows.get(feature, older.get(feature, EXACT)) for feature in FEATURES}


_ANSWERS = differs("the caller gets the failure, or the value, instead of waiting for ever")
#: What follows from the walk, on whichever engine.
_WALKED = {
    "option: serializer": differs("everything is carried as JSON"),
    "option: extra": differs("headers reach the request; there is no broker to read the others"),
    "in a task: result.revoke()": differs("is told when the task that revokes has ended"),
    "values of other serializers": unsupported(
        "everything is carried as JSON; use the JSON serializer"
    ),
    "signals of messages: before_task_publish, after_task_publish, task_received": differs(
        "not sent: no message is published and no consumer takes one; put what they add to the "
        "headers into the signature's"
    ),
    "a generator for a header": differs("is read to its end before the first task starts"),
    "Ignore and Reject": differs(
        "Reject ends the task like Ignore; there is no queue to requeue to"
    ),
    "a result that the serializer refuses": differs(
        "the task fails and the chain stops; Celery has sent an immutable next step by then, and "
        "in a chord's header its worker may wait for the rest for ever, taking no further task"
    ),
    "hang: a failed chain that ends in a group (celery/celery#4004, #6437)": _ANSWERS,
    "hang: an empty group for the body of a chord": _ANSWERS,
    "hang: a failed header of a chord inside a header": _ANSWERS,
    "hang: one chain for a header, around one group, empty or with a chord in it": _ANSWERS,
    "hang: a group of chords and others at the end of a part of a header": _ANSWERS,
    "hang: a failed chord with a chord for a body, inside a canvas": _ANSWERS,
    "fails: an empty chain where a task has to be": differs(
        "it is left out; for the body of a chord it is refused"
    ),
    "lost: callbacks that follow self.replace(group) in a chain": differs("they are fired"),
    "lost: errbacks around a chord with an empty header, inside a header": differs(
        "they are fired"
    ),
    "twice: an errback of a group for a body, and of the chain around its chord": differs(
        "it is called once; Celery takes it for two when the chain comes out of JSON"
    ),
}


def walked(rows: Mapping[str, Support]) -> Table:
    """``total`` for an engine on which the kit walks the plan, with the rows that this comes to."""
    return total({**_WALKED, **rows})


def features_of(place: Place) -> Iterator[str]:
    """The features that the node at ``place`` uses, itself and its options."""
    node = place.node
    yield f"node: {kind(node)}"
    if node.options == NO_OPTIONS:
        return
    for item in fields(Options):
        given = getattr(node.options, item.name)
        if item.name not in _NOT_OPTIONS and given != item.default:
            yield f"option: {item.name}"


def gaps(node: Node, rows: Table) -> list[Gap]:
    """Everything in ``node`` that an engine with this table does not support."""
    return [
        Gap(place.path, feature, rows[feature].note)
        for place in walk(node)
        for feature in features_of(place)
        if rows[feature].level is Level.UNSUPPORTED
    ]


def require(name: str, node: Node, rows: Table) -> None:
    """Nothing, or one error with all that is in the way.

    Raises:
        UnsupportedCanvas: ``node`` uses what the engine called ``name`` does not support.
    """
    found = gaps(node, rows)
    if found:
        raise UnsupportedCanvas(name, found)


def markdown() -> str:
    """All engines' tables as one Markdown page, one row for each feature."""
    engines = {name: engine(name).support for name in ENGINES}
    lines = [
        "# What each engine does with a canvas",
        "",
        "Made from the engines' own tables by `python -m offcanvas.engines.support`.",
        "Exact: as in Celery. Lowered: by other means, with the same meaning. Differs: decide.",
        "Unsupported: refused before anything starts.",
        "",
        f"| | {' | '.join(engines)} |",
        f"|---|{'---|' * len(engines)}",
    ]
    for feature in FEATURES:
        cells = [_cell(rows[feature]) for rows in engines.values()]
        lines.append(f"| {_title(feature)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _title(feature: str) -> str:
    word, _, name = feature.partition(": ")
    if word == "deviation":
        return f"*{Deviation[name.upper()].value}*"
    return feature


def _cell(support: Support) -> str:
    return f"{support.level}: {support.note}" if support.note else str(support.level)


def main() -> None:
    """Print the page."""
    import sys

    sys.stdout.write(markdown())


if __name__ == "__main__":
    main()
