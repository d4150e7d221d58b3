"""Events that name the process of the pool; imported by the worker only, by name."""

from __future__ import annotations

from typing import Any

from celery_impl.counted import ENGINE, CountedRequest
from celery_impl.describe import subject
from shared import metrics
from shared.settings import at_import

_SWEEP = "celery_impl.sweep.sweep"


class LaneRequest(CountedRequest):
    """A worker's request whose events tell more than Celery's own.

    Celery's events carry the node's name and the pid of the worker's main process; the pool's
    process, which is where the task runs, is known to the request only. `task-started` and all
    later events of a task get `pool_pid`, the moment of acceptance in that process
    (`accepted_at`, before the event travels through the main process), and what the task is
    about, because the arguments in `task-received` are cut off after 1,024 characters.
    """

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's own name
        """Send the event with the additions, once the pool has taken the task."""
        if self.worker_pid is not None:
            fields["pool_pid"] = self.worker_pid
            fields["accepted_at"] = self.time_start
            fields["task"] = self.type
            fields["attempt"] = self.request_dict.get("retries", 0) + 1
            fields["run_id"], fields["item"] = subject(self.type, self.args, self.kwargs)
        super().send_event(type, **fields)

    @property
    def counted_as(self) -> str:
        """Without the module, as the same step is called on the other engines."""
        return str(self.name).rpartition(".")[2]

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        """A sweep that begins has been sent by beat."""
        super().on_accepted(pid, time_accepted)
        meter = metrics.meter()
        if meter is not None and self.name == _SWEEP:
            meter.schedule(ENGINE, "sweep", at_import().sweep_every)

    def succeeded(self, shown: str) -> None:
        """Count what a sweep has found; `shown` is its list of runs as text, cut off if long."""
        super().succeeded(shown)
        meter = metrics.meter()
        if meter is not None and self.name == _SWEEP and shown != "[]":
            meter.recovered(ENGINE, shown.count(",") + 1)
