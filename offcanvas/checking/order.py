"""Whether tasks ran in the order that the canvas asks for.

A step of a chain begins when the one before it has ended, and the body of a chord when all of its
header has. Nothing is asked of members of a group, of callbacks, or of what tasks start themselves,
nor of the attempts of a task that has ended: ``self.retry(throw=False)`` leaves them behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery import states

from offcanvas.canvas.nodes import Chain, Chord, Group, Node


@dataclass(frozen=True, slots=True)
class _Span:
    """From the first beginning to the last end, as places in the ledger, with the tasks' names."""

    begin: int
    first: str
    end: int
    last: str

    def and_(self, other: _Span) -> _Span:
        early = min(self, other, key=lambda span: span.begin)
        late = max(self, other, key=lambda span: span.end)
        return _Span(early.begin, early.first, late.end, late.last)


def breaches(plan: Node | None, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """What began too early, given the plan (with ids) and the ledger of its run."""
    spans: dict[str, _Span] = {}
    over: set[str] = set()
    for place, entry in enumerate(entries):
        task_id, name = entry.get("id"), entry["name"]
        if task_id is None or task_id in over:
            continue
        here = _Span(place, name, place, name)
        spans[task_id] = spans[task_id].and_(here) if task_id in spans else here
        if entry.get("state") in states.READY_STATES:
            over.add(task_id)
    found: list[str] = []
    if plan is not None:
        _span(plan, spans, found)
    return found


def _span(node: Node, spans: Mapping[str, _Span], found: list[str]) -> _Span | None:
    match node:
        case Chain(steps=steps):
            return _in_order(steps, spans, found)
        case Chord(header=header, body=body) if body is not None:
            return _in_order((header, body), spans, found)
        case Group(members=members):
            each = [_span(member, spans, found) for member in members]
            return _all([span for span in each if span is not None])
        case _:
            return spans.get(node.options.task_id or "")


def _in_order(steps: Sequence[Node], spans: Mapping[str, _Span], found: list[str]) -> _Span | None:
    before: _Span | None = None
    for step in steps:
        here = _span(step, spans, found)
        if here is None:  # it has not run
            continue
        if before is not None and here.begin < before.end:
            found.append(f"{here.first} began before {before.last} had ended")
        before = here if before is None else before.and_(here)
    return before


def _all(spans: Sequence[_Span]) -> _Span | None:
    if not spans:
        return None
    total, *rest = spans
    for span in rest:
        total = total.and_(span)
    return total
