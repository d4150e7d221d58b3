"""A small app as somebody has it, for the tests of ``run``, ``check`` and the pytest plugin."""

import os
import signal
import time
from datetime import UTC, datetime

from celery import Celery, chain, chord, group, shared_task

app = Celery("shop", broker="redis://127.0.0.1:1", backend="redis://127.0.0.1:1")


@app.task
def double(price):
    print(f"doubling {price}")  # noqa: T201  # tasks of other people do
    return 2 * price


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def listed(numbers):
    return numbers


@app.task
def alarm(request, exc, traceback):
    print(f"no total: {exc}")  # noqa: T201  # likewise


@app.task
def now():
    return time.time()


@app.task
def stamped(kind):
    moment = datetime.now(UTC)
    return [kind, moment.isoformat(), moment]


@app.task
def kind_of(stamp):
    return stamp[0]


@app.task
def sleeps(path):
    with open(path, "w"):  # noqa: PTH123  # says that it has begun
        time.sleep(600)


@app.task
def sleeps_elsewhere(path):
    if not app.conf.result_backend.startswith("redis"):
        sleeps.run(path)


@app.task(bind=True, max_retries=1)
def flaky(self, price):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return price


@app.task
def dies():
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task
def common(number):
    return number


def report(width=2):
    header = [chain(flaky.s(price), double.s().set(queue="slow")) for price in range(width)]
    return chord(header, total.s().on_error(alarm.s()))


def failing():
    return chord([double.s(None), double.s(1)], total.s().on_error(alarm.s()))


def reversed_by_celery():
    return chord([double.s(1), group(double.s(2), double.s(3))], listed.s())


def unregistered():
    return app.signature("shop.gone") | double.s()


def not_json():
    return double.s({1, 2})


def pickled():
    app.conf.task_serializer = "pickle"
    return double.s(1)


shared = chain(common.s(1), common.s())


def with_moments():
    return chain(stamped.s("seal"), kind_of.s())
