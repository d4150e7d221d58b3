"""What the kit's worker imports: the app of `celery_impl`, and a sweep that asks no broker."""

from __future__ import annotations

import os
from typing import Any

from celery_impl.app import PROFILE, app
from celery_impl.sweep import requeue
from shared.recovery import find_gaps

ENGINE = os.environ["REROUTED_TO"]
# In the result backend: how many runs sweeps have sent anew. The processes of the tasks tell no
# metrics; the watch does.
RECOVERED = "voter-rolls-recovered"


@app.task(name="rerouted.sweep", **PROFILE.step)
def sweep(older_than: float) -> list[str]:
    """Queue what is missing; returns the ids of the runs.

    Celery's own sweep lets runs alone of which a worker has a task in hand, which it learns from
    the workers' answers on the broker. Here a step that takes long is queued twice.
    """
    gaps = find_gaps("celery", older_than)
    for gap in gaps:
        requeue(gap)
    if gaps:
        results: Any = app.backend  # a Redis; celery-types knows the base class only
        results.client.incrby(RECOVERED, len(gaps))
    return [gap.run_id for gap in gaps]


__all__ = ["ENGINE", "RECOVERED", "app", "sweep"]
