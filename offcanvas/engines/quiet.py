"""Celery's result backend and tracer, kept still where the walk does their work."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from celery import VERSION

logger = logging.getLogger(__name__)


@contextmanager
def quiet(backend: Any) -> Iterator[None]:
    """The backend without its chord counting, and the tracer without its warning.

    The tracer warns of errors outside the task's body; here those are arguments that do not fit
    what comes next, and they are in the outcome.
    """
    in_place = {"on_chord_part_return": _nothing, "add_to_chord": _nothing}
    if VERSION < (5, 7):
        in_place["_call_task_errbacks"] = _each_errback(backend._call_task_errbacks)  # noqa: SLF001  # Celery's own 5.7 has the remedy there
    kept = {name: backend.__dict__.get(name) for name in in_place}
    backend.__dict__.update(in_place)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Exception raised outside body")
            yield
    finally:
        for name, before in kept.items():
            if before is None:
                backend.__dict__.pop(name, None)
            else:
                backend.__dict__[name] = before


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """Stands in for chord counting."""


def _each_errback(call: Callable[..., None]) -> Callable[..., None]:
    """Errbacks one by one: one that raises must not take the others, and the worker, with it.

    Celery does so from 5.7 on (celery/celery#10214); before, the error leaves the tracer.
    """

    def call_each(request: Any, error: Any, traceback: Any) -> None:
        for errback in request.errbacks:
            alone = copy(request)
            alone.errbacks = [errback]
            try:
                call(alone, error, traceback)
            except Exception:
                logger.exception("Errback %r raised an exception", errback["task"])

    return call_each
