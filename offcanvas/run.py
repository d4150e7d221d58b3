"""Run a canvas on an engine, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offcanvas.engines.base import Outcome, Submission, engine
from offcanvas.target import canvas

if TYPE_CHECKING:
    from celery import Celery


def run(
    signature: Mapping[str, Any],
    *,
    on: str = "memory",
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    app: Celery | None = None,
    strict_celery: bool = False,
    timeout: float | None = None,
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
        **options: countdown, queue, priority, expires and the like.

    Returns:
        What ``get()`` gives: value or exception; PENDING where it would wait for ever.

    Raises:
        UnknownEngine: no engine of that name.
        BadCanvas: the canvas cannot be understood; nothing was started.
        UnsupportedCanvas: the engine cannot run it; nothing was started.
        TypeError: the arguments do not fit the first task.
    """
    chosen = engine(on)
    return chosen.run(
        Submission(
            app or app_of(signature),
            signature,
            args,
            dict(kwargs or {}),
            options,
            strict_celery,
            timeout,
        )
    )


def submission(
    target: str,
    arguments: Sequence[str] = (),
    *,
    app: str | None,
    strict: bool,
    timeout: float | None,
) -> Submission:
    """The canvas at ``target`` (``offcanvas.target``), to be run as it is.

    Raises:
        BadTarget: there is none.
    """
    signature = canvas(target, arguments, app=app)
    return Submission(app_of(signature), signature, strict=strict, timeout=timeout)


def app_of(signature: Mapping[str, Any]) -> Celery:
    """The app that the signature belongs to; that of its first task if it has none of its own."""
    from celery import Signature, current_app
    from celery.local import Proxy

    app: Any = signature.app if isinstance(signature, Signature) else current_app
    # Worker processes look for the app itself, not for a proxy of it.
    return app._get_current_object() if isinstance(app, Proxy) else app  # type: ignore[no-any-return]  # noqa: SLF001  # Celery's own way
