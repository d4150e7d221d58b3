"""The same metrics from the Celery workers that you have, for a comparison before and after.

In the module of the app::

    from offcanvas.engines.celery.measure import measure

    measure(app, port=9401)

Workers open the port when they are ready; of several on one machine each needs a port of its own
(``OFFCANVAS_METRICS_PORT``). Every process that imports the module stamps what it sends with the
moment, in a header; without that nobody knows for how long a message has waited.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from celery.app.task import Task
from celery.signals import before_task_publish, worker_ready

from offcanvas import metrics
from offcanvas.engines.celery.stamp import stamp

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

REQUEST = "offcanvas.engines.celery.counted:CountedRequest"


def measure(app: Celery, port: int | None = None, host: str = metrics.HOST) -> None:
    """Count the tasks of the app's workers; OFFCANVAS_METRICS_PORT goes before ``port``.

    Tasks with a request class of their own (``Request``) are not counted, unless that is derived
    from ``offcanvas.engines.celery.counted.CountedRequest``.
    """
    base: Any = app.Task
    if base.Request == Task.Request:
        base.Request = REQUEST
    before_task_publish.connect(stamp, dispatch_uid="offcanvas: when it was sent")
    given = os.environ.get("OFFCANVAS_METRICS_PORT") or port

    def begin(**_: Any) -> None:
        if given is None:
            return
        if not str(given).isdecimal():
            log.warning("no metrics: OFFCANVAS_METRICS_PORT=%s is not a port, such as 9401", given)
            return
        metrics.start(int(given), os.environ.get("OFFCANVAS_METRICS_HOST") or host)
        metrics.knows("celery", app.tasks)

    worker_ready.connect(begin, weak=False, dispatch_uid="offcanvas: metrics")
