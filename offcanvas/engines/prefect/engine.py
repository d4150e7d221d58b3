"""Run a canvas on Prefect from anywhere, with a worker of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from offcanvas.engines.prefect.private_worker import private_worker
from offcanvas.engines.prefect.support import SUPPORT
from offcanvas.engines.remote import RemoteEngine

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.engines.prefect.client import Caller


class PrefectEngine(RemoteEngine):
    """Runs a canvas on Prefect.

    On the server that PREFECT_API_URL names, else on a private one for the time of the run, which
    takes ten seconds and more to start. The worker is this engine's own, with a deployment and a
    work pool of its own.
    """

    name = "prefect"
    support = SUPPORT

    def private_worker(self, app: Celery) -> AbstractContextManager[Caller]:
        """See base class."""
        return private_worker(app)
