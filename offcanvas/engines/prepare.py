"""What an engine does with a submission before anything starts: one plan, checked against it."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kombu.exceptions import EncodeError

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Leaf, walk
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.carried import other_serializers, refused_value
from offcanvas.celery_app.freezing import Prepared, freeze
from offcanvas.celery_app.planning import Planned, Submission, plan
from offcanvas.celery_app.rate_limits import require_rate_limits
from offcanvas.celery_app.sendable import require_sendable
from offcanvas.celery_app.strangers import strangers
from offcanvas.engines.features import Feature
from offcanvas.engines.support import Level, require
from offcanvas.errors import (
    BadArguments,
    BadCanvas,
    CanvasWarning,
    Gap,
    OffcanvasError,
    UnsupportedCanvas,
    line_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from celery import Celery

    from offcanvas.canvas.nodes import Node
    from offcanvas.engines.base import Engine

#: Packages between the code that calls a canvas and its preparation.
_NOT_THE_CALLER = frozenset({"offcanvas", "celery", "contextlib"})


def plan_for(
    on: Engine,
    submission: Submission,
    node: Node | None = None,
    *,
    allow_unregistered: bool = False,
) -> Planned:
    """The plan of a submission to the engine ``on``, which has to support all of it.

    ``node`` is the signature where the caller has lifted it already; ``allow_unregistered`` is that
    of ``planning.plan``, whose errors are raised as well.

    Raises:
        UnsupportedCanvas: what the engine's table says it cannot do, all of it.
        UsageError: a task has a rate_limit that says nothing.
    """
    node = lift(submission.signature) if node is None else node
    row = on.support[Feature.OTHER_SERIALIZERS]
    if row.level is Level.UNSUPPORTED:
        found = other_serializers(submission.app, node, submission.options)
        others = [Gap(*other, row.note) for other in found]
        if others:
            raise UnsupportedCanvas(on.name, others)
    require(on.name, node, on.support)
    known, _ = strangers(submission.app, node)
    require_rate_limits(submission.app, known)
    return plan(submission, node, allow_unregistered=allow_unregistered)


def vetted_plan(on: Engine, submission: Submission) -> Planned:
    """``plan_for``, with a usage error for whatever keeps the canvas from running.

    Raises:
        BadArguments: the arguments do not fit the first task.
        UnserialisableValue: a value that the app's serializer refuses.
        BadCanvas: two tasks have the same id, or Celery would refuse to send one.
        UsageError: anything else.
    """
    node = lift(submission.signature)
    _require_ids_of_their_own(node)
    with planning_errors(submission.app, node):
        planned = plan_for(on, submission, node)
    if planned.plan is not None:
        require_sendable(submission.app, planned.plan)
    return planned


@contextmanager
def planning_errors(app: Celery, node: Node) -> Iterator[None]:
    """Turn what planning ``node`` raises of its arguments and values into usage errors.

    Raises:
        BadArguments: the arguments do not fit the first task.
        UnserialisableValue: a value that the app's serializer refuses.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        raise BadArguments(f"the arguments do not fit: {error}") from error
    except EncodeError as error:
        raise refused_value(app, node, error) from error


def sent_plan(planned: Planned) -> Prepared:
    """``planned`` with ids, as the classes of its first tasks send it; nothing has begun.

    What they send besides is a part of it (``asking.sent``).

    Raises:
        BadCanvas: an ``apply_async`` raises something.
        UsageError: it sends besides what cannot be sent.
    """
    try:
        return sent(planned.submission.app, freeze(planned), asked=False)
    except OffcanvasError:
        raise
    except Exception as error:  # of the app's own code
        raise BadCanvas(f"the app's apply_async raises: {line_of(error)}") from error


def _require_ids_of_their_own(node: Node) -> None:
    """Two tasks of one id have one result: nobody could tell which of them has ended, and how."""
    places: dict[str, str] = {}
    for place in walk(node):
        task_id = place.node.options.task_id
        if task_id is None or not isinstance(place.node, Leaf):
            continue
        if task_id in places:
            raise BadCanvas(
                f"{places[task_id]} and {place.path} have the same task_id {task_id!r}, and would "
                "overwrite each other's result; give each an id of its own, or none"
            )
        places[task_id] = place.path


def deviations_of(planned: Planned) -> list[str]:
    """Where Celery would do otherwise than it documents, in words; none for a strict run."""
    if planned.submission.strict:
        return []
    return sorted(deviation.value for deviation in planned.deviations)


def warn_of(planned: Planned) -> None:
    """Warn once for each place where Celery would do otherwise; the place is the caller's.

    A strict run does as Celery does, and there is nothing to warn of.
    """
    level = caller_level()
    for deviation in deviations_of(planned):
        warnings.warn(CanvasWarning(deviation), stacklevel=level)


def caller_level() -> int:
    """The ``stacklevel`` of a warning given by the caller of this, for the code that sends."""
    level, frame = 0, sys._getframe()  # noqa: SLF001  # as warnings.warn does, to count its levels
    while frame.f_back is not None and _package(frame) in _NOT_THE_CALLER:
        level, frame = level + 1, frame.f_back
    return level


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]
