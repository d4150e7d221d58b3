"""The one tracer provider of a process, and the instrumentation of Celery."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.signals import worker_process_shutdown, worker_shutdown
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

log = logging.getLogger(__name__)

#: Seconds that a collector has for an answer, and between two calls of it.
_WITHIN = 5
_EVERY = 1_000  # milliseconds
_LIBRARY = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def provider(to: str, service: str) -> TracerProvider:
    """A provider whose spans go to ``to``, with Celery's tasks instrumented.

    Raises:
        ValueError: nothing can be sent there by its name.
        OSError: the file cannot be written.
    """
    own = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
    made = TracerProvider(resource=Resource.create(own))
    kind, _, path = to.partition(":")
    if to == "otlp":
        made.add_span_processor(
            BatchSpanProcessor(OneLine(_collector()), schedule_delay_millis=_EVERY)
        )
    elif kind == "file" and path:
        lines = Path(path).open("a", buffering=1)  # noqa: SIM115  # for the life of the process
        written = ConsoleSpanExporter(out=lines, formatter=_line)
        made.add_span_processor(SimpleSpanProcessor(written))
    else:
        raise ValueError(f"{to!r} is neither otlp nor file:PATH")
    trace.set_tracer_provider(made)
    instrumentor: Any = CeleryInstrumentor  # its constructor says nothing of types
    instrumentor().instrument(tracer_provider=made)

    def flush(**_: object) -> None:
        made.force_flush()

    for ends in (worker_process_shutdown, worker_shutdown):
        ends.connect(flush, weak=False, dispatch_uid="offcanvas: traces")
    return made


def _collector() -> OTLPSpanExporter:
    for name in _ADDRESSES:
        address = os.environ.get(name)
        if address and urlsplit(address).scheme not in {"http", "https"}:
            raise ValueError(f"{name}={address} is not an address, such as http://localhost:4318")
    # It says of each try that it has failed, with a traceback at the end.
    logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)
    return OTLPSpanExporter(timeout=_WITHIN)


def _line(span: ReadableSpan) -> str:
    text: str = span.to_json(indent=None)
    return f"{text}\n"


class OneLine(SpanExporter):
    """Another exporter, of which one line tells that it cannot deliver, until it can."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter: Any = exporter  # some of its methods say nothing of types
        self._well = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver, or lose them."""
        try:
            result, why = self._exporter.export(spans), "it does not take them"
        except Exception as error:  # of the library that it calls with
            result, why = SpanExportResult.FAILURE, " ".join(str(error).split())
        well = result is SpanExportResult.SUCCESS
        if self._well and not well:
            where = next((os.environ[name] for name in _ADDRESSES if os.environ.get(name)), None)
            log.warning(
                "no traces: no collector at %s (%s); the work goes on",
                where or "http://localhost:4318", why,
            )  # fmt: skip
        self._well = well
        return SpanExportResult(result)

    def shutdown(self) -> None:
        """See the other."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See the other."""
        return bool(self._exporter.force_flush(timeout_millis))
