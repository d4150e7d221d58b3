"""The voter rolls' Celery app while it is being moved: the same, with the rules of a file.

`python -m comparisons.moving_app` is its Celery worker.
"""

from __future__ import annotations

import os

from celery_impl.app import connect
from celery_impl.worker import run_worker
from offcanvas.cutover import cut_over

app = connect()
if "MOVING_RULES" in os.environ:
    cut_over(app, os.environ["MOVING_RULES"])

if __name__ == "__main__":
    run_worker(2)
