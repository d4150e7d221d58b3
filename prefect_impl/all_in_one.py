"""One task loops over every center and every station.

The shortest way, and brittle: nothing runs beside it.

In Canvas: a single task. Here: a flow with a single task. In both, a failure in the middle starts
from the first center again: a Prefect task run is retried as a whole, too.
"""

from __future__ import annotations

from prefect import flow

from prefect_impl.options import FLOW
from prefect_impl.tasks import everything


@flow(name="all_in_one", **FLOW)
def all_in_one(run_id: str) -> int:
    """everything; returns the sum of the pages."""
    return everything(run_id)
