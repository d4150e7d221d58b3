"""A shop whose canvases are priced."""

import base64
import os
from typing import Any

from celery import Celery, chain, chord, group

app = Celery("shop", broker="memory://", backend="cache+memory://")


@app.task
def charge(order: Any) -> Any:
    """Charge an order."""
    return order


@app.task
def ship(order: Any) -> Any:
    """Ship it."""
    return order


@app.task
def report(orders: list[Any], day: str = "today") -> int:
    """Count them."""
    return len(orders)


@app.task
def note(*_args: Any) -> None:
    """Note that something is done."""


def nightly(orders: list[int]) -> Any:
    """Charge and ship each order, and report."""
    return chord([chain(charge.si(order), ship.s()) for order in orders], report.s(day="monday"))


def steps(count: int) -> Any:
    """One after the other."""
    return chain(*[note.si() for _ in range(count)])


def heavy(count: int, size: int) -> Any:
    """Side by side, each with an argument that does not compress away."""
    texts = (base64.b64encode(os.urandom(size)).decode()[:size] for _ in range(count))
    return group(note.si(text) for text in texts)


def linked(count: int) -> Any:
    """Each starts another when it is done."""
    return group(charge.si(n).set(link=[note.si()]) for n in range(count))


def later() -> Any:
    """Three steps, two of them after a while."""
    return chain(note.si(), note.si().set(countdown=3600), note.si().set(countdown=7200))


lone = note.si()
