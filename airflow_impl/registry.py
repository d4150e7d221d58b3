"""Which DAG a variant's name means, with which parameters, and which task has the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_impl.names import SEQUENCES
from shared import workloads
from shared.errors import UsageError
from shared.variants import BY_NAME

# The task whose XCom is what the caller gets. None: nothing is to be had.
ANSWERS: dict[str, str | None] = {
    "all_in_one": "everything",
    "parallel_with_join": "sum_printed_pages",
    "chord_by_center": "sum_pages",
    "assign_stations_in_parallel": None,
    "starmap": "sum_pages",
    "chord_by_station": "sum_pages",
    "chunks": "sum_pages",
    "chain": "publish_summary",
    "group": None,
    "error_in_header": "sum_pages",
    "noop": "total",
    "nap": "total",
    "fib": "alike",
    **{f"fib_{length}": "alike" for length in SEQUENCES},
}

# Handed over as soon as the server has the DAG run.
NOBODY_WAITS = "assign_stations_in_parallel"

_FIB = {"fib33": 33, "fib10": 10}


@dataclass(frozen=True, slots=True)
class Call:
    """A DAG by name, and the parameters of a run of it."""

    dag_id: str
    parameters: dict[str, Any]


def call_of(variant: str, run_id: str) -> Call:
    """What a variant or a workload means.

    Raises:
        UsageError: there is no such variant.
    """
    workload = workloads.parse(variant)
    if workload is None:
        if variant not in BY_NAME:
            raise UsageError(
                f"no variant {variant!r}: choose one of {', '.join(BY_NAME)} "
                "or a workload (noop:N, nap:N, fib33:N, fib10:N)"
            )
        return Call(variant, {"run_id": run_id})
    kind, count = workload
    numbers = {"run_id": run_id, "count": count}
    if kind in {"noop", "nap"}:
        return Call(kind, numbers)
    name = f"fib_{count}" if count in SEQUENCES else "fib"
    return Call(name, {**numbers, "argument": _FIB[kind]})
