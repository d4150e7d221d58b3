"""Fan-out and fan-in with uneven grains: one task per polling center.

In Canvas: `group(one center) | sum_pages`. Here: the same, as a map and a call. The list of
centers is read by a task, so that the flow's process touches no database; an empty list needs no
special case, where an empty chord does.
"""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import list_centers, rolls_of_center, sum_pages


@flow(name="chord_by_center", **FLOW)
def chord_by_center(run_id: str) -> int:
    """group(rolls_of_center per center) | sum_pages."""
    centers = list_centers(run_id)
    pages = join(rolls_of_center.map(unmapped(run_id), centers))
    return sum_pages(run_id, pages)
