"""A question to the worker: does it take workflows, and do its processes answer?

The pollers that the server lists do not tell: one that was killed stays on the list for minutes.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities


@workflow.defn(name="ready")
class Ready:
    """One activity that does nothing."""

    @workflow.run
    async def run(self) -> None:
        """Returns once an activity has been executed."""
        await workflow.execute_activity_method(
            Activities.noop, 0, start_to_close_timeout=timedelta(seconds=10)
        )
