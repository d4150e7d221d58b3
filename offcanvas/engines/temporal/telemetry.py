"""Temporal's own metrics on the port of the process, beside the kit's.

The SDK's core opens an endpoint of its own. It gets one on this machine that nobody is told of, and
what it says there is passed on.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from urllib.request import urlopen

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from offcanvas import metrics

log = logging.getLogger(__name__)

#: Seconds for an answer from the same process.
_ANSWERS_WITHIN = 5.0


def measured_runtime() -> None:
    """Make a runtime with metrics the default one, before anything has used another.

    Where that cannot be, one line says so, and Temporal's own metrics are missing.
    """
    meter = metrics.meter()
    if meter is None:
        return
    address = f"127.0.0.1:{_free_port()}"
    config = PrometheusConfig(address, counters_total_suffix=True, durations_as_seconds=True)
    try:
        runtime = Runtime(telemetry=TelemetryConfig(metrics=config))
        Runtime.set_default(runtime)
    except (RuntimeError, ValueError) as error:
        log.warning("no metrics of Temporal's own: %s", " ".join(str(error).split()))
        return
    meter.registry.register(PassedOn(f"http://{address}/metrics"))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class PassedOn(Collector):
    """What another endpoint says."""

    def __init__(self, url: str) -> None:
        self._url = url

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Its metrics; none while it does not answer."""
        try:
            with urlopen(self._url, timeout=_ANSWERS_WITHIN) as answer:  # noqa: S310  # http, above
                text = answer.read().decode()
        except OSError as error:
            log.warning("no metrics of Temporal's own: %s", error)
            return
        yield from text_string_to_metric_families(text)
