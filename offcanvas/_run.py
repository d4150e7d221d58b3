"""Run a canvas on an engine, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from offcanvas.celery_app.planning import Submission
from offcanvas.engines.batches import batch_of
from offcanvas.engines.registry import engine, spec_of, specs
from offcanvas.errors import UsageError

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.engines.base import Outcome


def run(
    signature: Mapping[str, Any],
    *,
    on: str = "memory",
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    app: Celery | None = None,
    strict_celery: bool = False,
    timeout: float | None = None,
    batch: int | Literal["auto"] | None = None,
    **options: Any,
) -> Outcome:
    """Run ``signature.apply_async(args, kwargs, **options)`` on the engine ``on``.

    Args:
        signature: a Celery signature: a task's, a chain, group, chord, map, starmap or chunks.
        on: the engine, for example "memory" or "celery".
        args: partial arguments, as for ``apply_async``.
        kwargs: partial keyword arguments.
        app: the Celery app; by default that of the signature.
        strict_celery: do as Celery does where it does otherwise than it documents.
        timeout: seconds to wait for the result.
        batch: with Temporal and Prefect, members of a group that run together, one after the other
            in one process: "auto" for as many as take half a second, or a number. None for one by
            one.
        **options: countdown, queue, priority, expires and the like.

    Returns:
        What ``get()`` gives: value or exception; PENDING where it would wait for ever.

    Raises:
        UnknownEngine: no engine of that name.
        BadCanvas: the canvas cannot be understood; nothing was started.
        UnsupportedCanvas: the engine cannot run it; nothing was started.
        UsageError: ``batch`` says nothing, or the engine has no batches.
        TypeError: the arguments do not fit the first task.
    """
    chosen = engine(on)
    require_batches(on, batch)
    submission = Submission(
        app or app_of(signature),
        signature,
        args,
        dict(kwargs or {}),
        options,
        strict_celery,
        timeout,
        batch_of(batch),
    )
    return chosen.run(chosen.plan(submission))


def require_batches(on: str, batch: object) -> None:
    """See that the engine ``on`` can do what ``batch=`` says.

    Raises:
        UsageError: it cannot, or ``batch`` says nothing.
    """
    if batch_of(batch) is not None and "batch" not in spec_of(on).target_options:
        takes = ", ".join(one.name for one in specs().values() if "batch" in one.target_options)
        raise UsageError(f"batch= is for {takes}, and not for {on}")


def app_of(signature: Mapping[str, Any]) -> Celery:
    """The app that the signature belongs to; that of its first task if it has none of its own."""
    from celery import Signature, current_app
    from celery.local import Proxy

    app: Any = signature.app if isinstance(signature, Signature) else current_app
    # Worker processes look for the app itself, not for a proxy of it.
    return app._get_current_object() if isinstance(app, Proxy) else app  # type: ignore[no-any-return]  # noqa: SLF001  # Celery's own way
