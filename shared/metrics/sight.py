"""What a look at an engine as a whole has seen; needs no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many, and since when the oldest of them; None where nobody can tell."""

    count: int
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen. None for what this engine cannot tell; moments are UTC seconds."""

    queues: Mapping[str, Waiting] = field(default_factory=dict)
    workers: int | None = None
    canvases: Waiting | None = None
    runs: Waiting | None = None
    unsent: int | None = None
