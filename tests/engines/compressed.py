"""An app whose results are compressed, and whose values are written by a serializer of its own."""

import os

from celery import Celery, Task

from tests.engines.points import Point, write_points

app = Celery("compressed", broker="memory://", set_as_current=False)
app.conf.result_compression = "gzip"
#: The environment variable that has processes set up what their caller has set up late.
LATE = "OFFCANVAS_TEST_LATE"


class Late(Task):
    """Registered when the app is rerouted already."""

    name = "compressed.late"
    autoretry_for = (ValueError,)
    max_retries = 1
    default_retry_delay = 0

    def run(self, point):
        if not self.request.retries:
            raise ValueError
        return Point(point.x + self.request.retries)


if LATE in os.environ:
    write_points(app)
    app.register_task(Late())


@app.task
def length(values):
    return len(str(values))


@app.task
def twice(text):
    return text * 2


@app.task
def moved(point, by):
    return Point(point.x + by)


@app.task
def added(points):
    return sum(point.x for point in points)


@app.task
def fails(*args):
    raise ValueError("no", *args)


@app.task(bind=True, max_retries=1)
def retried(self, text):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return text
