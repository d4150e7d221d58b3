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
def quiet(backend: Any, misfits: list[Exception] | None = None) -> Iterator[None]:
    """The backend without its chord counting, and the tracer without its warning.

    The tracer warns of errors outside the task's body; here those are arguments that do not fit
    what comes next, and they are in the outcome.

    ``misfits`` takes in the errors with which errbacks cannot be sent. In Celery they leave the
    tracer, which handles them as another failure, and calls the errbacks again.
    """
    in_place = {"on_chord_part_return": _nothing, "add_to_chord": _nothing}
    call = backend._call_task_errbacks  # noqa: SLF001  # where Celery calls all errbacks
    if VERSION < (5, 7):
        in_place["encode_result"] = _any_error(backend)
        in_place["mark_as_failure"] = _alone(backend.mark_as_failure)
        call = in_place["_call_task_errbacks"] = _each_errback(call)
    if misfits is not None:
        in_place["_call_task_errbacks"] = _once(call, misfits)
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


def _alone(mark: Callable[..., None]) -> Callable[..., None]:
    """``mark_as_failure`` of the task alone: the walk stores what becomes of those that follow.

    Until 5.7 Celery fails itself on one of them that has no id.
    """

    def mark_alone(task_id: str, error: Any, *rest: Any, request: Any = None, **given: Any) -> None:
        if request is None:
            mark(task_id, error, *rest, **given)
            return
        kept, request.chain = request.chain, None
        try:
            mark(task_id, error, *rest, request=request, **given)
        finally:
            request.chain = kept

    return mark_alone


def _any_error(backend: Any) -> Callable[[Any, Any], Any]:
    """``encode_result`` that knows errors which are no Exception, as Celery's own from 5.7 on."""
    encode = backend.encode_result

    def encode_any(result: Any, state: Any) -> Any:
        if state in backend.EXCEPTION_STATES and isinstance(result, BaseException):
            return backend.prepare_exception(result)
        return encode(result, state)

    return encode_any


def _once(call: Callable[..., None], misfits: list[Exception]) -> Callable[..., None]:
    def call_once(request: Any, error: Any, traceback: Any) -> None:
        try:
            call(request, error, traceback)
        except Exception as misfit:
            logger.exception("An errback of %s cannot be sent", request.id)
            misfits.append(misfit)

    return call_once


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
            except Exception as raised:
                if getattr(raised, "offcanvas_misfit", False):
                    raise
                logger.exception("Errback %r raised an exception", errback["task"])

    return call_each
