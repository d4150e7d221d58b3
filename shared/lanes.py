"""Where an engine's records name a worker, but none of its processes: lanes in their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.contract import TaskSpan


def on_lanes(spans: Iterable[TaskSpan]) -> list[TaskSpan]:
    """The spans by start, with `#1`, `#2`, ... after the worker: the first lane that is free."""
    free_at: dict[str, list[float]] = {}
    placed = []
    for span in sorted(spans, key=lambda span: (span.started_at, span.finished_at)):
        lanes = free_at.setdefault(span.worker, [])
        number = next((at for at, free in enumerate(lanes) if free <= span.started_at), len(lanes))
        lanes[number : number + 1] = [span.finished_at]
        placed.append(replace(span, worker=f"{span.worker}#{number + 1}"))
    return placed
