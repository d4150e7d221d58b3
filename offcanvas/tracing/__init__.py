"""Traces of canvases, in OpenTelemetry's form: caller, canvas and tasks in one trace.

Spans of tasks are those of ``opentelemetry-instrumentation-celery``, which listens to Celery's
signals; the kit sends these on every engine. Where nothing is published, the context is put into
the headers of the tasks here: those of a canvas as it is sent, those that a task sends, and what
takes a task's place. A retry repeats the headers of the task.

Nothing is traced until ``start`` is called, or OFFCANVAS_TRACES is set for a worker of the kit.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from offcanvas.canvas.title import title
from offcanvas.tracing.headers import with_headers

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from offcanvas.canvas.nodes import Node

log = logging.getLogger(__name__)

#: Where spans go: ``otlp``, to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, or
#: ``file:PATH``, a line of JSON each. Processes that this one starts have it too.
VARIABLE = "OFFCANVAS_TRACES"

_started: list[TracerProvider] = []


def start(to: str = "otlp", service: str = "offcanvas") -> bool:
    """Trace from now on, here and in processes that are started from here.

    Args:
        to: see ``VARIABLE``.
        service: the name of the service, unless OTEL_SERVICE_NAME has one.

    Returns False, after one line in the log, where it cannot be; the work goes on.
    """
    if _started:
        return True
    try:
        from offcanvas.tracing.provider import provider
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        log.warning("no traces: install them with pip install 'offcanvas[tracing]'")
        return False
    try:
        _started.append(provider(to, service))
    except (OSError, ValueError) as error:
        log.warning("no traces: %s; the work goes on", " ".join(str(error).split()))
        return False
    os.environ[VARIABLE] = to
    return True


def start_if_asked() -> None:
    """Start if OFFCANVAS_TRACES says so."""
    to = os.environ.get(VARIABLE)
    if to:
        start(to)


def flush() -> None:
    """Send what has been kept back."""
    for one in _started:
        one.force_flush()


@contextmanager
def canvas(plan: Node, engine: str) -> Iterator[None]:
    """The span of a caller that sends a canvas to an engine."""
    if not _started:
        yield
        return
    from opentelemetry.trace import SpanKind

    tracer = _started[0].get_tracer("offcanvas")
    attributes = {"offcanvas.engine": engine}
    with tracer.start_as_current_span(f"canvas/{title(plan)}", kind=SpanKind.PRODUCER) as span:
        span.set_attributes(attributes)
        yield


def carried(plan: Node) -> Node:
    """The plan with the present context in the headers of all its tasks."""
    if not _started:
        return plan
    from opentelemetry.propagate import inject

    context: dict[str, str] = {}
    inject(context)
    return with_headers(plan, context) if context else plan
