"""What the alert rules measure ages against: from the settings, and told with the metrics."""

from __future__ import annotations

from shared import metrics
from shared.policy import LONG_STEP
from shared.settings import settings

# Work that waits for longer than so many sweeps will not be taken up by the next one either.
SWEEPS = 4


def tell_limits(engine: str) -> None:
    """`work`: how old anything may become; `step`: how long the longest step may take."""
    meter = metrics.meter()
    if meter is not None:
        meter.limit(engine, "work", SWEEPS * settings().sweep_every)
        meter.limit(engine, "step", LONG_STEP.time_limit)
