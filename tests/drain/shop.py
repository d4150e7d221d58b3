"""An app whose tasks can be made to stand wherever a test wants them."""

import os
import time
from pathlib import Path

from celery import Celery

PREFIX = os.environ.get("DRAIN_PREFIX", "drain")
QUEUE = f"{PREFIX}.main"

app = Celery(
    "drained",
    broker=os.environ.get("DRAIN_BROKER", "memory://"),
    backend=os.environ.get("DRAIN_RESULTS", "cache+memory://"),
)
app.conf.update(
    task_default_queue=QUEUE,
    worker_prefetch_multiplier=2,
    task_acks_late=True,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=True,
)


@app.task
def noop(*args):
    return len(args)


@app.task
def hold(path):
    """Runs until the file is there."""
    Path(f"{path}.begun").touch()
    while not Path(path).exists():
        time.sleep(0.02)


@app.task(bind=True, max_retries=1)
def again(self):
    if not self.request.retries:
        raise self.retry(countdown=3600)
