"""Sequential dependency: each step begins when the one before it has ended.

In Canvas: `assign | generate | sum_pages | publish`, where a member gets its predecessor's
result as first argument unless its signature is immutable (`.si`). Here: one call after the
other. What is passed on is an ordinary variable, and what is not is simply not used.
"""

from __future__ import annotations

from prefect import flow

from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, publish_summary, rolls_one_by_one, sum_pages


@flow(name="chain", **FLOW)
def chain(run_id: str) -> int:
    """assign_all | rolls_one_by_one | sum_pages | publish_summary."""
    stations = assign_all(run_id)
    pages = rolls_one_by_one(run_id, stations)
    sum_pages(run_id, pages)
    return publish_summary(run_id)
