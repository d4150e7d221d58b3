"""What the step processes execute: `shared.steps`, one by one or several in one task.

No Prefect here: these processes never import it.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared import steps
from shared.variants import OBJECTION
from shared.workloads import fib, nap, noop

__all__ = [
    "assign_all",
    "assign_center",
    "everything",
    "fib",
    "generate_roll",
    "generate_rolls",
    "list_centers",
    "list_stations",
    "missing_rolls",
    "nap",
    "noop",
    "object_to",
    "publish_summary",
    "record_error",
    "rolls_of_center",
    "sum_pages",
    "sum_printed_pages",
]

assign_center = steps.assign_center
generate_roll = steps.generate_roll
list_centers = steps.list_centers
list_stations = steps.list_stations
missing_rolls = steps.missing_rolls
publish_summary = steps.publish_summary
record_error = steps.record_error
sum_pages = steps.sum_pages


def assign_all(run_id: str, *, attempt: int) -> list[str]:
    """Assign every voter; returns the ids of the stations, in order."""
    steps.assign_all(run_id, attempt=attempt)
    return steps.list_stations(run_id)


def generate_rolls(run_id: str, station_ids: Sequence[str], *, attempt: int) -> list[int]:
    """Print some rolls, one after the other; returns the pages of each."""
    return [steps.generate_roll(run_id, station, attempt=attempt) for station in station_ids]


def rolls_of_center(run_id: str, center_id: str, *, attempt: int) -> int:
    """Assign one center and print its rolls; returns their pages."""
    steps.assign_center(run_id, center_id, attempt=attempt)
    stations = steps.list_stations(run_id, center_id)
    return sum(generate_rolls(run_id, stations, attempt=attempt))


def everything(run_id: str, *, attempt: int) -> int:
    """All of it; returns the sum of the pages."""
    pages: list[int] = []
    for center_id in steps.list_centers():
        steps.assign_center(run_id, center_id, attempt=attempt)
        stations = steps.list_stations(run_id, center_id)
        pages += generate_rolls(run_id, stations, attempt=attempt)
    return steps.sum_pages(run_id, pages, attempt=attempt)


def object_to(run_id: str, station_id: str) -> None:
    """Forbid the roll of a station."""
    steps.object_to(run_id, station_id, OBJECTION)


def sum_printed_pages(run_id: str, *, attempt: int) -> int:
    """The fan-in from the database, which knows the parts when nobody else does any more."""
    return steps.sum_pages(run_id, steps.printed_pages(run_id), attempt=attempt)
