"""A parent that starts the group and waits for it.

In Canvas: a task that calls `group(...)().join()`. Celery forbids it ("Never call result.get()
within a task!"), since the waiting task keeps a worker process that its own members may need.

Prefect allows a task to map others and wait for them, and with a bounded task runner the same
deadlock comes back (PrefectHQ/prefect issue 17060: a warning since 3.7, nothing is forbidden).
The right place to wait is the flow, which takes none of the runner's threads: the futures are
started first and joined later, and between the two the flow could do something else. The same
written in one go is `chord_by_station`.
"""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, generate_roll, sum_pages


@flow(name="parallel_with_join", **FLOW)
def parallel_with_join(run_id: str) -> int:
    """assign_all, then start group(generate_roll per station), join, sum_pages."""
    stations = assign_all(run_id)
    group = generate_roll.map(unmapped(run_id), stations)
    pages = join(group)  # result.join()
    return sum_pages(run_id, pages)
