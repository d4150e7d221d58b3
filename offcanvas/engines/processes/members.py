"""What happens in a process of the pool when several calls come together."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from offcanvas.canvas.calls import LEFT, TaskOutcome
from offcanvas.celery_app.persistence import make_persistent
from offcanvas.engines.processes import journal, process

Raw = Mapping[str, Any]
Work = Callable[[Raw], dict[str, Any]]


def run_members(
    work: Work, members: Sequence[Raw], begun: int, target: float | None, room: int | None
) -> list[dict[str, Any]]:
    """``work`` for one after the other; their outcomes, as far as they have begun.

    The worker gives leave for each (``board.Board``), and may stop the batch. It stops by itself
    after ``target`` seconds, and when the outcomes come to more than ``room`` characters.
    ``begun`` is how many members of the same batch have begun before, in other processes.
    """
    outcomes: list[dict[str, Any]] = []
    board, since, size = process.board(), time.monotonic(), 0
    for number, raw in enumerate(members, begun + 1):
        if outcomes and target is not None and time.monotonic() - since >= target:
            break
        if room is not None and size >= room:
            break
        if not board.may_begin(number):
            _note_that_it_is_left(raw)
            break
        outcome = work(raw)
        outcomes.append(outcome)
        process.show_what_was_printed()
        if room is not None:
            size += len(json.dumps(outcome))
    return outcomes


def ended_members(members: Sequence[Raw]) -> list[dict[str, Any] | None]:
    """What members came to that are said to have ended; None for one of which nothing is known."""
    found = []
    for raw in members:
        app, call = process.open_call(raw)
        known = journal.ended(app, call, raw)
        found.append(None if known is None else known.to_json())
    return found


def lose_members(raw: Raw) -> list[dict[str, Any]]:
    """The worker that had a batch is gone, and ``raw["ended"]`` members had ended at least.

    They run one after the other: the first that has not ended is the one that was running, unless
    its process has noted that it has left it.
    """
    outcomes: list[dict[str, Any]] = []
    lost = False
    for place, member in enumerate(members_of(raw)):
        app, call = process.open_call(member)
        make_persistent(app.backend)
        known = journal.ended(app, call, member)
        if known is not None:
            outcomes.append(known.to_json())
        elif not lost and _is_left(member):
            lost = True
            outcomes.append({"state": LEFT})
        elif not lost or place < raw["ended"]:
            lost = lost or place >= raw["ended"]
            outcomes.append(process.lose_task({**member, "why": raw["why"]}))
        else:
            outcomes.append({"state": LEFT})
    return outcomes


def _note_that_it_is_left(raw: Raw) -> None:
    """For those who find that it has not ended: it was not running either."""
    app, _ = process.open_call(raw)
    if raw.get("entry"):
        journal.keep_always(app, _left(raw), TaskOutcome(LEFT))


def _is_left(raw: Raw) -> bool:
    return journal.read(process.app(), _left(raw)) is not None


def _left(raw: Raw) -> str:
    return str(uuid.uuid5(uuid.UUID(raw["entry"]), LEFT))


def members_of(raw: Raw) -> list[dict[str, Any]]:
    """The members of a batch, each as it would be if it came alone."""
    common = {name: one for name, one in raw.items() if name not in {"calls", "entries"}}
    return [
        {**common, "call": call, "entry": entry}
        for call, entry in zip(raw["calls"], raw["entries"], strict=True)
    ]
