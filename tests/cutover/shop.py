"""An app that is being moved: each task writes into a ledger who has run it."""

import os
import time
from pathlib import Path

from celery import Celery, chain, chord, group

from offcanvas.cutover import cut_over

app = Celery(
    "cutovershop",
    broker=os.environ.get("CUTOVER_BROKER", "memory://"),
    backend=os.environ.get("CUTOVER_RESULTS", "cache+memory://"),
)
app.conf.update(
    task_default_queue="cutover.shop",
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    result_expires=3600,
)


def write(*words):
    line = " ".join(map(str, (os.environ.get("CUTOVER_WORKER", "caller"), *words)))
    with Path(os.environ["CUTOVER_LEDGER"]).open("a") as ledger:
        ledger.write(f"{line}\n")  # one write of less than a page: whole


@app.task
def charge(order, cents=0):
    write("charge", order)
    return 2 * cents


@app.task(ignore_result=True)
def forget(order):
    write("forget", order)


@app.task(bind=True)
def slow(self, order, seconds):
    write("slow", order)
    time.sleep(seconds)
    write("slow-end", order)


@app.task
def fail(order):
    write("fail", order)
    raise ValueError(order)


@app.task
def pay(order, key):
    write("pay", order)


@app.task
def fragile(order):
    """Works on Celery alone."""
    write("fragile", order)
    if os.environ.get("CUTOVER_WORKER") != "celery":
        raise ValueError(order)


def vase(order):
    """The same as a root of its own."""
    return fragile.si(order)


@app.task
def sluggish(order):
    """Slower anywhere but on Celery."""
    write("sluggish", order)
    if os.environ.get("CUTOVER_WORKER") != "celery":
        time.sleep(2)


@app.task
def page(order, number):
    write(f"page{number}", order)
    return number


@app.task
def bind_pages(numbers, order):
    write("bind", order)
    return sum(numbers)


def book(order, pages=3):
    """A chord, as a function that returns it."""
    return chord([page.si(order, n) for n in range(pages)], bind_pages.s(order))


def leaflet(order):
    """A chain, as a function that sends it."""
    return chain(page.si(order, 1), bind_one.s(order)).delay()


@app.task
def bind_one(number, order):
    write("bind", order)
    return number


def sheets(order):
    return group(page.si(order, n) for n in range(3))


@app.task(bind=True)
def rebind(self, order):
    """Replaces itself, and sends something: both follow it."""
    write("rebind", order)
    charge.delay(f"{order}-inner")
    raise self.replace(book(order, 2))


RULES = os.environ.get("CUTOVER_RULES")
router = cut_over(app, RULES) if RULES else None
