"""The two options with which a command opens a port for metrics."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

MetricsPort: TypeAlias = Annotated[
    int | None,
    typer.Option(
        envvar="OFFCANVAS_METRICS_PORT",
        min=1,
        max=65535,
        help="Port for Prometheus; none if unset.",
    ),
]
MetricsHost: TypeAlias = Annotated[
    str,
    typer.Option(envvar="OFFCANVAS_METRICS_HOST", help="Interface of that port."),
]
