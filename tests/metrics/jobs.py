"""An app whose canvases end in every way that is counted."""

import os
import signal

from celery import Celery, chain, chord

from offcanvas import tracing
from offcanvas.engines.celery.measure import measure

app = Celery("jobs")
app.conf.update(
    broker_url=os.environ.get("JOBS_BROKER", "redis://127.0.0.1:1"),
    result_backend=os.environ.get("JOBS_RESULTS", "redis://127.0.0.1:1"),
    broker_connection_retry_on_startup=True,
)
measure(app)
tracing.start_if_asked()


@app.task
def double(x):
    return 2 * x


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=2, default_retry_delay=0)
def flaky(self, x):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return x


@app.task
def fails():
    raise ValueError("for good")


@app.task
def dies():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(bind=True)
def replaced(self, x):
    raise self.replace(double.s(x))


@app.task(bind=True)
def starts(self, x):
    return double.delay(x).id


def canvases():
    """One of each, by what its result comes to."""
    return {
        "chord": chord([double.s(1), flaky.s(2)], total.s()),
        "chain": chain(double.s(1), double.s()),
        "replaced": replaced.s(3),
        "fails": fails.s(),
        "dies": dies.s(),
    }


#: What every engine counts of them.
COUNTED = {
    ("tests.metrics.jobs.double", "succeeded"): 4,
    ("tests.metrics.jobs.flaky", "retried"): 1,
    ("tests.metrics.jobs.flaky", "tried again"): 1,
    ("tests.metrics.jobs.flaky", "succeeded"): 1,
    ("tests.metrics.jobs.total", "succeeded"): 1,
    ("tests.metrics.jobs.replaced", "left"): 1,
    ("tests.metrics.jobs.fails", "failed"): 1,
    ("tests.metrics.jobs.dies", "lost"): 1,
}
