"""The tasks: each hands one step to a process and waits for it.

A task run's name is the item it is about, so that Prefect's UI and records speak of stations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import ParamSpec, TypeVar
from uuid import UUID

from prefect import task
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext
from prefect.runtime import task_run

from prefect_impl import work
from prefect_impl.counting import counted
from prefect_impl.names import ENGINE
from prefect_impl.options import task_options
from prefect_impl.processes import StepProcesses
from shared.policy import LONG_STEP, STEP, StepPolicy
from shared.recovery import Gap
from shared.recovery import find_gaps as find_gaps_in_database

P = ParamSpec("P")
R = TypeVar("R")

_SHORT = task_options(STEP)
_LONG = task_options(LONG_STEP)

_processes: StepProcesses | None = None
_lock = Lock()
_task_runs: Counter[UUID] = Counter()


def use(processes: StepProcesses | None) -> None:
    """Execute the steps of this worker in these processes."""
    global _processes  # noqa: PLW0603 - one pool a worker process, as the fork server is one
    _processes = processes


def _call(policy: StepPolicy, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    if _processes is None:
        raise RuntimeError("tasks are executed by `python -m prefect_impl worker` only")
    current = _task_run()
    if current.flow_run_id is not None and current.run_count == 1:
        with _lock:
            _task_runs[current.flow_run_id] += 1
    with counted(current, function.__name__, policy) as begun:
        return _processes.call_step(policy, partial(function, *args, **kwargs), begun)


def _attempt() -> int:
    """Which execution of the task run this is, from 1."""
    return _task_run().run_count


def _task_run() -> TaskRun:
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("a step is called by a task")
    return context.task_run


def task_runs_of(flow_run_id: UUID) -> int:
    """How many task runs a flow run had in this worker; to be asked once, when it has ended."""
    with _lock:
        return _task_runs.pop(flow_run_id, 0)


@task(task_run_name="*", **_SHORT)
def assign_all(run_id: str) -> list[str]:
    """Assign every voter; returns the ids of the stations, in order."""
    return _call(STEP, work.assign_all, run_id, attempt=_attempt())


@task(task_run_name="*", **_SHORT)
def list_centers(run_id: str) -> list[str]:
    """The ids of all centers, in order."""
    return _call(STEP, work.list_centers)


@task(task_run_name="*", **_SHORT)
def list_stations(run_id: str) -> list[str]:
    """The ids of the stations of the run, in order."""
    return _call(STEP, work.list_stations, run_id)


@task(task_run_name="{center_id}", **_SHORT)
def assign_center(run_id: str, center_id: str) -> int:
    """Assign the voters of one center; returns the number of its stations."""
    return _call(STEP, work.assign_center, run_id, center_id, attempt=_attempt())


@task(task_run_name="{center_id}", **_SHORT)
def rolls_of_center(run_id: str, center_id: str) -> int:
    """Assign one center and print its rolls; returns their pages."""
    return _call(STEP, work.rolls_of_center, run_id, center_id, attempt=_attempt())


@task(task_run_name="{station_id}", **_SHORT)
def generate_roll(run_id: str, station_id: str) -> int:
    """Print one station's roll; returns its pages."""
    return _call(STEP, work.generate_roll, run_id, station_id, attempt=_attempt())


def _first_to_last() -> str:
    stations = task_run.parameters["station_ids"]
    return f"{stations[0]}..{stations[-1]}"


@task(task_run_name=_first_to_last, **_SHORT)
def rolls_of_chunk(run_id: str, station_ids: list[str]) -> list[int]:
    """Print the rolls of a few stations, one after the other; returns the pages of each."""
    return _call(STEP, work.generate_rolls, run_id, station_ids, attempt=_attempt())


@task(task_run_name="*", **_LONG)
def rolls_one_by_one(run_id: str, station_ids: list[str]) -> list[int]:
    """Print all these rolls, one after the other; returns the pages of each."""
    return _call(LONG_STEP, work.generate_rolls, run_id, station_ids, attempt=_attempt())


@task(task_run_name="*", **_LONG)
def everything(run_id: str) -> int:
    """All of it in one task; returns the sum of the pages."""
    return _call(LONG_STEP, work.everything, run_id, attempt=_attempt())


@task(task_run_name="*", **_SHORT)
def sum_pages(run_id: str, pages: list[int]) -> int:
    """The fan-in."""
    return _call(STEP, work.sum_pages, run_id, pages, attempt=_attempt())


@task(task_run_name="*", **_SHORT)
def publish_summary(run_id: str) -> int:
    """Make the sum public; returns it."""
    return _call(STEP, work.publish_summary, run_id, attempt=_attempt())


@task(task_run_name="{station_id}", **_SHORT)
def object_to(run_id: str, station_id: str) -> None:
    """Forbid the roll of a station."""
    return _call(STEP, work.object_to, run_id, station_id)


@task(task_run_name="*", **_SHORT)
def record_error(run_id: str, error: str) -> None:
    """The error callback."""
    return _call(STEP, work.record_error, run_id, error, attempt=_attempt())


@task(task_run_name="*", **_SHORT)
def missing_rolls(run_id: str) -> list[str]:
    """The stations whose roll the database or the disk lacks."""
    return _call(STEP, work.missing_rolls, run_id)


@task(task_run_name="*", **_SHORT)
def find_gaps(older_than: float) -> list[Gap]:
    """The runs that lack something, and what."""
    return _call(STEP, find_gaps_in_database, ENGINE, older_than)


@task(task_run_name="*", **_SHORT)
def sum_printed_pages(run_id: str) -> int:
    """The fan-in from the database."""
    return _call(STEP, work.sum_printed_pages, run_id, attempt=_attempt())


@task(task_run_name="{index}", **_SHORT)
def noop(index: int) -> int:
    """Do nothing, and count as one."""
    return _call(STEP, work.noop, index)


@task(task_run_name="{index}", **_SHORT)
def nap(index: int) -> int:
    """Wait a tenth of a second, and count as one."""
    return _call(STEP, work.nap, index)


@task(task_run_name="{n}", **_SHORT)
def fib(n: int) -> int:
    """The n-th Fibonacci number."""
    return _call(STEP, work.fib, n)
