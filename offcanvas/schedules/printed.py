"""The list of entries in emitted source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from offcanvas.schedules.entries import Entry


def printed(entries: Sequence[Entry], one: Callable[[Entry], str | None]) -> str:
    """``ENTRIES = [...]`` with what ``one`` writes of each entry; None leaves it out."""
    lines = [text for entry in entries if (text := one(entry)) is not None]
    return "\n".join(["ENTRIES: list[Entry] = [", *lines, "]", ""])
