"""Which workflows there are, and which one a variant's name means."""

from __future__ import annotations

from typing import Any

from shared import workloads
from shared.errors import UsageError
from shared.variants import BY_NAME
from temporal_impl.all_in_one import AllInOne
from temporal_impl.assign_stations_in_parallel import AssignStationsInParallel
from temporal_impl.chain import Chain
from temporal_impl.chord_by_center import ChordByCenter
from temporal_impl.chord_by_station import ChordByStation
from temporal_impl.chunks import Chunks
from temporal_impl.error_in_header import ErrorInHeader
from temporal_impl.fan_out import FanOut
from temporal_impl.group import Group
from temporal_impl.inputs import Run
from temporal_impl.parallel_with_join import ParallelWithJoin
from temporal_impl.ready import Ready
from temporal_impl.repair import Repair
from temporal_impl.starmap import Starmap
from temporal_impl.sweep import Sweep
from temporal_impl.workloads import Fib, Nap, Noop, Workload

WORKFLOWS: list[type] = [
    AllInOne,
    ParallelWithJoin,
    ChordByCenter,
    AssignStationsInParallel,
    Starmap,
    ChordByStation,
    Chunks,
    Chain,
    Group,
    ErrorInHeader,
    FanOut,
    Noop,
    Nap,
    Fib,
    Ready,
    Repair,
    Sweep,
]

_WORKLOADS = {"noop": ("noop", 0), "nap": ("nap", 0), "fib33": ("fib", 33), "fib10": ("fib", 10)}


def workflow_of(variant: str, run_id: str) -> tuple[str, Any]:
    """The name of the workflow that a variant or a workload means, and its input.

    Raises:
        UsageError: there is no such variant.
    """
    workload = workloads.parse(variant)
    if workload is not None:
        kind, count = workload
        name, argument = _WORKLOADS[kind]
        return name, Workload(count, argument)
    if variant not in BY_NAME:
        raise UsageError(
            f"no variant {variant!r}: choose one of {', '.join(BY_NAME)}, "
            "or a workload: noop:N, nap:N, fib33:N, fib10:N"
        )
    return variant, Run(run_id)
