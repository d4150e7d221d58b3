"""Run a canvas on Temporal from anywhere, with a worker of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.memory_backend import memory_backend
from offcanvas.engines.remote import RemoteEngine
from offcanvas.engines.temporal.client import packed_job
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.engines.temporal.support import SUPPORT

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.celery_app.planning import Planned, Submission
    from offcanvas.engines.temporal.caller import Caller


class TemporalEngine(RemoteEngine):
    """Runs a canvas on Temporal.

    On the server that TEMPORAL_ADDRESS names, else on a private one for the time of the run. The
    worker is this engine's own, on a task queue of its own.
    """

    name = "temporal"
    support = SUPPORT

    def private_worker(self, app: Celery) -> AbstractContextManager[Caller]:
        """See base class."""
        return private_worker(app)

    def plan(self, submission: Submission) -> Planned:
        """See ``Engine.plan``; a canvas must also fit into what the server takes."""
        planned = super().plan(submission)
        # Results of a group subscribe to the app's own backend as soon as they are made.
        with memory_backend(submission.app):
            frozen = freeze(planned).plan
        if frozen is not None:
            packed_job(submission.app, Branch(frozen), strict=submission.strict)
        return planned
