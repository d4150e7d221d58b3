"""What the looks came to, for people and for programs."""

from __future__ import annotations

import json
from typing import Any

from offcanvas.drain.findings import INFORMATIVE, MEANING, Finding, Place
from offcanvas.drain.watch import Drained
from offcanvas.printable import printable

#: In which order things are switched off, once everything has moved.
ORDER = (
    "whoever sends: web processes, scripts, other services (offcanvas audit lists the call sites)",
    "beat",
    "wait until nothing is ready, delayed, scheduled or at work: offcanvas drain --wait",
    "wait for open chords",
    "callers that still wait for results, or the results' time to live",
    "workers, with a warm shutdown (SIGTERM)",
    "the broker, last",
)


def as_text(drained: Drained) -> str:
    """A line for each place, the verdict, and the order in which to switch off."""
    drained = printable(drained)
    width = max(map(len, Place))
    lines = [_line(one, drained, width) for one in drained.last.findings]
    return "\n".join([*lines, "", *_verdict(drained)])


def as_json(drained: Drained) -> str:
    """The same as one JSON object."""
    return json.dumps(
        {
            "safe": drained.safe,
            "looks": 1 if drained.second is None else 2,
            "seconds_apart": drained.apart,
            "busy_between": drained.busy,
            "without": sorted(drained.without),
            "places": {one.place: _plain(one) for one in drained.last.findings},
            "waiting": [one.place for one in drained.waiting],
            "order": list(ORDER),
        },
        indent=2,
    )


def _line(one: Finding, drained: Drained, width: int) -> str:
    count = "?" if one.count is None else f"{one.count:,}"
    notes = [one.detail] if one.detail else []
    if one.place in drained.without:
        notes.append("left out: you vouch for it")
    elif one.place in INFORMATIVE and one.count:
        notes.append("for information")
    told = f" ({'; '.join(notes)})" if notes else ""
    return f"{one.place:{width}}  {count:>7}  {MEANING[one.place]}{told}"


def _verdict(drained: Drained) -> list[str]:
    if drained.safe:
        looks = f"Two looks, {drained.apart:g} s apart, have found nothing."
        return [f"Drained. {looks} Switch off in this order:", *_numbered()]
    if drained.waiting:
        places = ", ".join(
            f"{one.place} (cannot be told)" if one.count is None else str(one.place)
            for one in drained.waiting
        )
        return [f"Not drained: {places}."]
    return ["Not drained: a worker has begun tasks, come or gone between the two looks."]


def _numbered() -> list[str]:
    return [f"  {number}. {what}" for number, what in enumerate(ORDER, start=1)]


def _plain(one: Finding) -> dict[str, Any]:
    return {"count": one.count, "detail": one.detail, "blocks": one.place not in INFORMATIVE}
