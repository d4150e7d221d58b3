"""The app of the worker: Celery's test tasks, for processes that know nothing of pytest."""

import os

from celery import Celery

app = Celery("conformance", set_as_current=True)
app.conf.update(
    broker_url=os.environ.get("TEST_BROKER", "memory://"),
    result_backend=os.environ.get("TEST_BACKEND", "redis://"),
    result_extended=True,
)

# Tasks of `shared_task` belong to every app; the class is registered as Celery's conftest does it.
from t.integration import tasks  # noqa: E402

app.register_task(tasks.ClassBasedAutoRetryTask())
app.finalize()
