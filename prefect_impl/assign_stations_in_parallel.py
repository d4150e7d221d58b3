"""A group of tasks that only touch the database; nobody waits for it.

Database work is better optimised in the query (`assign_all`, one statement) than spread over
tasks that wait for each other's locks.

In Canvas: a group whose results are not collected. The messages are on their own once sent. A
mapped Prefect task is not: it lives in its flow's task runner, and a flow that returns cancels
those that have not begun. So the flow does wait for its members, and it is the caller that does
not wait for the flow: when `start` returns, the server has it, whatever becomes of the caller.
`group` shows the other way, a flow that hands its members over and ends.
"""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_center, list_centers


@flow(name="assign_stations_in_parallel", **FLOW)
def assign_stations_in_parallel(run_id: str) -> None:
    """group(assign_center per center); returns nothing: the stations are in the database."""
    centers = list_centers(run_id)
    join(assign_center.map(unmapped(run_id), centers))
