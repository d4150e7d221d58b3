"""Which flows there are, and which one a variant's name means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect import Flow

from prefect_impl.all_in_one import all_in_one
from prefect_impl.assign_stations_in_parallel import assign_stations_in_parallel
from prefect_impl.chain import chain
from prefect_impl.chord_by_center import chord_by_center
from prefect_impl.chord_by_station import chord_by_station
from prefect_impl.chunks import chunks
from prefect_impl.error_in_header import error_in_header
from prefect_impl.group import group, rolls
from prefect_impl.parallel_with_join import parallel_with_join
from prefect_impl.repair import repair
from prefect_impl.spread import rolls_of_slice, spread
from prefect_impl.starmap import starmap
from prefect_impl.sweep import sweep
from prefect_impl.workloads import fib, nap, naps_of_slice, noop
from shared import workloads
from shared.errors import UsageError
from shared.settings import settings
from shared.variants import BY_NAME

FLOWS: dict[str, Flow[..., Any]] = {
    flow.name: flow
    for flow in (
        all_in_one,
        parallel_with_join,
        chord_by_center,
        assign_stations_in_parallel,
        starmap,
        chord_by_station,
        chunks,
        chain,
        group,
        error_in_header,
        rolls,
        spread,
        rolls_of_slice,
        noop,
        nap,
        naps_of_slice,
        fib,
        repair,
        sweep,
    )
}

_FIB = {"fib33": 33, "fib10": 10}


@dataclass(frozen=True, slots=True)
class Call:
    """A flow by name, and the parameters of a run of it."""

    flow: str
    parameters: dict[str, Any]


def call_of(variant: str, run_id: str) -> Call:
    """What a variant or a workload means.

    Raises:
        UsageError: there is no such variant.
    """
    workload, size = workloads.parse(variant), settings().spread
    if workload is None:
        if variant not in BY_NAME:
            raise UsageError(
                f"no variant {variant!r}: choose one of {', '.join(BY_NAME)} "
                "or a workload (noop:N, nap:N, fib33:N, fib10:N)"
            )
        if variant == "chord_by_station" and size is not None:
            return Call("spread", {"run_id": run_id, "size": size})
        return Call(variant, {"run_id": run_id})
    kind, count = workload
    if kind == "nap":
        return Call("nap", {"run_id": run_id, "count": count, "size": size})
    if kind == "noop":
        return Call("noop", {"run_id": run_id, "count": count})
    return Call("fib", {"run_id": run_id, "count": count, "argument": _FIB[kind]})
