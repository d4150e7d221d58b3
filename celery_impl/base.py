"""What every task of this app has: confirmed publishing, and events that name the pool process."""

from __future__ import annotations

from typing import Any

from celery import Task


class VoterRollsTask(Task):  # type: ignore[type-arg]  # a Task of anything
    """The class of all tasks of the app, Celery's own (`celery.starmap`, ...) included."""

    # userguide/tasks.html, "Requests and custom requests".
    Request = "celery_impl.lanes:LaneRequest"
    confirm_timeout: float | None = None

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Send the task; a broker that does not confirm in time is an error."""
        if self.confirm_timeout is not None:
            options.setdefault("confirm_timeout", self.confirm_timeout)
        return super().apply_async(*args, **options)
