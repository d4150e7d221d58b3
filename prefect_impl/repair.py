"""Make up what a run lacks, from the database alone."""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import (
    assign_all,
    generate_roll,
    missing_rolls,
    publish_summary,
    sum_printed_pages,
)


@flow(name="repair", **FLOW)
def repair(run_id: str, assign: bool, sum_pages: bool, publish: bool) -> int:
    """assign_all if need be, then generate_roll per missing roll | sum from the database.

    Which rolls are missing is asked anew at the time. Returns how many there were.
    """
    if assign:
        assign_all(run_id)
    missing = missing_rolls(run_id)
    join(generate_roll.map(unmapped(run_id), missing))
    if sum_pages:
        sum_printed_pages(run_id)
    if publish:
        publish_summary(run_id)
    return len(missing)
