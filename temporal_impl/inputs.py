"""What workflows and activities are given: references, never rows.

One dataclass an input, as Temporal advises: a field with a default can be added later without
breaking what is already in a history.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a variant; the input of every variant's workflow."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Center:
    """A polling center in a run."""

    run_id: str
    center_id: str


@dataclass(frozen=True, slots=True)
class Station:
    """A station in a run."""

    run_id: str
    station_id: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some stations of a run, in order."""

    run_id: str
    station_ids: list[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the members of a header returned, in the header's order."""

    run_id: str
    pages: list[int]


@dataclass(frozen=True, slots=True)
class Failure:
    """The text of the error that a run met."""

    run_id: str
    error: str
