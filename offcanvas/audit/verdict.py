"""What each engine makes of a canvas, by the kit's own support tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from offcanvas.audit.inventory import CanvasPlace, Drawn
from offcanvas.engines.support import OPTIONS, Level, Table

_TABLES: Final[Mapping[str, str]] = {
    "Prefect": "offcanvas.engines.prefect.support",
    "Temporal": "offcanvas.engines.temporal.support",
}
_CLIENTS: Final = frozenset(
    {"task_id", "root_id", "parent_id", "group_id", "retries", "add_to_parent", "ignore_errors"}
    | {"retry", "retry_policy", "connection", "producer", "publisher", "reply_to", "body"}
)
"""Ids, and options of the sender alone: no engine's business."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """word: "same", "differs", "decide" or "unsupported"; why: in one sentence."""

    word: str
    why: str


@cache
def tables() -> Mapping[str, Table]:
    """The support table of each engine that the kit has."""
    found: dict[str, Table] = {}
    for engine, module in _TABLES.items():
        package = module.rpartition(".")[0]
        if find_spec(package) is not None and find_spec(module) is not None:
            found[engine] = import_module(module).SUPPORT
    return found


def verdicts(place: CanvasPlace) -> dict[str, Verdict]:
    """The verdict of each engine that the kit has a table of."""
    return {engine: verdict(place.canvas, t, place.inside) for engine, t in tables().items()}


def verdict(canvas: Drawn, table: Table, inside: str = "") -> Verdict:
    """The verdict of one table: the worst that any part of the canvas gets.

    inside: what the task around it does with the canvas, see `CanvasPlace`.
    """
    features = [*_features(canvas), *((f"in a task: {inside}",) if inside else ())]
    rows = {feature: table[feature] for feature in features}
    for level in (Level.UNSUPPORTED, Level.DIFFERS):
        notes = [f"{f.partition(': ')[2]}: {r.note}" for f, r in rows.items() if r.level is level]
        if notes:
            return Verdict(str(level), "; ".join(notes))
    unknown = [part.why for part in canvas.walk() if part.kind == "unknown"]
    if unknown:
        return Verdict("decide", f"not told by the source: {unknown[0]}")
    lowered = {f: r for f, r in rows.items() if r.level is Level.LOWERED}
    notes = [f"{f.partition(': ')[2]}: {r.note}" for f, r in lowered.items()]
    return Verdict("same", "; ".join(notes) or "every part has the same meaning")


def _features(canvas: Drawn) -> Iterator[str]:
    for part in canvas.walk():
        if part.kind != "unknown":
            yield f"node: {part.kind}"
        if part.errbacks:
            yield "option: link_error"
        for name in part.options:
            if f"option: {name}" in OPTIONS:
                yield f"option: {name}"
            elif name not in _CLIENTS:
                yield "option: extra"  # routing_key, headers, compression, ...
