"""What each engine makes of a canvas, by the kit's own support tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from offcanvas.audit.inventory import CanvasPlace, Drawn
from offcanvas.engines.features import OPTIONS, Feature
from offcanvas.engines.registry import specs, table_of
from offcanvas.engines.support import Level, Table

_NO_DESTINATION: Final = frozenset({"celery", "memory"})
"""Engines that nobody moves to: where canvases come from, and the one without a server."""
_CLIENTS: Final = frozenset(
    {"task_id", "root_id", "parent_id", "group_id", "retries", "add_to_parent", "ignore_errors"}
    | {"retry", "retry_policy", "connection", "producer", "publisher", "reply_to", "body"}
)
"""Ids, and options of the sender alone: no engine's business."""
_INSIDE: Final = {
    "self.replace": Feature.TASK_REPLACE,
    "self.add_to_chord": Feature.TASK_ADD_TO_CHORD,
    "canvases started inside": Feature.TASK_STARTS_CANVAS,
}
"""What a task does with a canvas, see `CanvasPlace.inside`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """word: "same", "differs", "decide" or "unsupported"; why: in one sentence."""

    word: str
    why: str


@cache
def tables() -> Mapping[str, Table]:
    """The support table of each engine that a code base can move to, by its title."""
    return {one.title: table_of(one) for one in specs().values() if one.name not in _NO_DESTINATION}


def verdicts(place: CanvasPlace) -> dict[str, Verdict]:
    """The verdict of each engine that the kit has a table of."""
    return {engine: verdict(place.canvas, t, place.inside) for engine, t in tables().items()}


def verdict(canvas: Drawn, table: Table, inside: str = "") -> Verdict:
    """The verdict of one table: the worst that any part of the canvas gets.

    inside: what the task around it does with the canvas, see `CanvasPlace`.
    """
    features = [*_features(canvas), *((_INSIDE[inside],) if inside else ())]
    rows = {feature: table[feature] for feature in features}
    for level in (Level.UNSUPPORTED, Level.DIFFERS):
        notes = _notes(rows, level)
        if notes:
            return Verdict(str(level), "; ".join(notes))
    unknown = [part.why for part in canvas.walk() if part.kind in {"unknown", "choice"}]
    if unknown:
        return Verdict("decide", f"not told by the source: {unknown[0]}")
    notes = _notes(rows, Level.LOWERED)
    return Verdict("same", "; ".join(notes) or "every part has the same meaning")


def _notes(rows: Table, level: Level) -> list[str]:
    return [
        f"{feature.text.partition(': ')[2]}: {row.note}"
        for feature, row in rows.items()
        if row.level is level
    ]


def _features(canvas: Drawn) -> Iterator[Feature]:
    for part in canvas.walk():
        if part.kind not in {"unknown", "choice"}:
            yield Feature.of_node(part.kind)
        if part.errbacks:
            yield Feature.OPTION_LINK_ERROR
        for name in part.options:
            if name in OPTIONS:
                yield Feature.of_option(name)
            elif name not in _CLIENTS:
                yield Feature.OPTION_EXTRA  # routing_key, headers, compression, ...
