"""Compare a canvas on Celery and on other engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offcanvas._run import app_of
from offcanvas.celery_app.planning import Submission
from offcanvas.checking.compare import compare, plan

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.checking.report import Report


def check(
    signature: Mapping[str, Any],
    *,
    on: Sequence[str] | str = (),
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    app: Celery | None = None,
    strict_celery: bool = False,
    timeout: float = 60.0,
) -> Report:
    """Run ``signature.apply_async(args, kwargs)`` on Celery and elsewhere, and say what differs.

    The tasks are really run: once on Celery, once on each engine, and once more on Celery if an
    engine differs. Redis, the engines' servers and all workers are private and gone afterwards.

    Args:
        signature: a Celery signature of any kind.
        on: names of engines; without one, all that are installed.
        args: partial arguments, as for ``apply_async``.
        kwargs: partial keyword arguments.
        app: the Celery app; by default that of the signature.
        strict_celery: expect what Celery does where it documents otherwise.
        timeout: seconds for the canvas and all that it starts to end, on each engine.

    Returns:
        A report; ``report.same`` says whether all did the same, ``str(report)`` what differs.

    Raises:
        UsageError: the canvas cannot be run; nothing was started.
        EngineError: an engine does not come up, or Celery is not done in time.
    """
    submission = Submission(
        app or app_of(signature), signature, args, dict(kwargs or {}), {}, strict_celery, timeout
    )
    return compare(submission, plan(submission, (on,) if isinstance(on, str) else on))
