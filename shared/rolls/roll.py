"""What a roll is, on paper and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROWS_PER_PAGE = 40
"""Voters on a full page; only the last page of a roll may hold fewer."""


@dataclass(frozen=True, slots=True)
class RollEntry:
    """One printed line of a roll."""

    voter_id: str
    voter_name: str


@dataclass(frozen=True, slots=True)
class Roll:
    """One station's voters, already in roll order; printed numbers count from 1."""

    center_id: str
    center_name: str
    station_id: str
    entries: Sequence[RollEntry]


@dataclass(frozen=True, slots=True)
class WrittenRoll:
    """A roll on disk; ``sha256`` is the hexadecimal digest of the file's bytes."""

    path: Path
    pages: int
    sha256: str


def page_count(entries: int) -> int:
    """Pages a roll of so many entries takes: ``ceil(entries / ROWS_PER_PAGE)``."""
    return -(-entries // ROWS_PER_PAGE)
