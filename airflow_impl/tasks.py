"""The tasks: `shared.steps` as Airflow calls them.

Each runs in a process of its own, forked by the executor, which also reads the DAG's file anew:
what a step needs is imported when it is called. What goes from task to task (an XCom) is a list of
ids or of numbers of pages, a row in the metadata database; the data stay where they are.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow.sdk import get_current_context, task

from airflow_impl.names import ERROR
from airflow_impl.options import task_options
from shared.policy import LONG_STEP, STEP, StepPolicy


def step(policy: StepPolicy = STEP, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`@task` with a step policy, the hard time limit, and the error where its caller finds it."""

    def decorate(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with _hard_limit(policy.time_limit), _error_told():
                return function(*args, **kwargs)

        return task(**task_options(policy), **options)(call)

    return decorate


@contextmanager
def _hard_limit(seconds: float) -> Iterator[None]:
    """Kill this process, which then counts as lost, if the block takes longer.

    `execution_timeout` is an alarm signal, which code that does not come back to Python never sees.
    """
    limit = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


@contextmanager
def _error_told() -> Iterator[None]:
    """Leave class and text of an exception as an XCom: Airflow itself only writes them to a log."""
    try:
        yield
    except BaseException as error:
        # Where the API server is away as well, the error itself matters more than its copy.
        with contextlib.suppress(Exception):
            ti = get_current_context()["ti"]
            ti.xcom_push(ERROR, {"type": type(error).__name__, "text": str(error)})
        raise


def attempt() -> int:
    """Which execution of the task this is, from 1."""
    return int(get_current_context()["ti"].try_number)


STATION = "{{ task.op_kwargs['station_id'] }}"
CENTER = "{{ task.op_kwargs['center_id'] }}"
_MEMBERS = "task.op_kwargs['station_ids']"
CHUNK = f"{{{{ {_MEMBERS}[0] }}}}..{{{{ {_MEMBERS}[-1] }}}}"


@step()
def assign_all(run: str) -> list[str]:
    """Assign every voter; returns the ids of the stations, in order."""
    from shared import steps

    steps.assign_all(run, attempt=attempt())
    return steps.list_stations(run)


@step()
def list_centers() -> list[str]:
    """The ids of all centers, in order."""
    from shared import steps

    return steps.list_centers()


@step()
def list_stations(run: str) -> list[str]:
    """The ids of the stations of the run, in order."""
    from shared import steps

    return steps.list_stations(run)


@step(map_index_template=CENTER)
def assign_center(run: str, center_id: str) -> int:
    """Assign the voters of one center; returns the number of its stations."""
    from shared import steps

    return steps.assign_center(run, center_id, attempt=attempt())


@step(map_index_template=CENTER)
def rolls_of_center(run: str, center_id: str) -> int:
    """Assign one center and print its rolls; returns their pages."""
    from shared import steps

    steps.assign_center(run, center_id, attempt=attempt())
    return sum(_rolls(run, steps.list_stations(run, center_id)))


@step(map_index_template=STATION)
def generate_roll(run: str, station_id: str) -> int:
    """Print one station's roll; returns its pages."""
    return _rolls(run, [station_id])[0]


@step(map_index_template=CHUNK)
def rolls_of_chunk(run: str, station_ids: list[str]) -> list[int]:
    """Print the rolls of a few stations, one after the other; returns the pages of each."""
    return _rolls(run, station_ids)


@step(LONG_STEP)
def rolls_one_by_one(run: str, station_ids: list[str]) -> list[int]:
    """Print all these rolls, one after the other; returns the pages of each."""
    return _rolls(run, station_ids)


def _rolls(run: str, station_ids: Sequence[str]) -> list[int]:
    from shared import steps

    return [steps.generate_roll(run, station, attempt=attempt()) for station in station_ids]


@step(LONG_STEP)
def everything(run: str) -> int:
    """All of it in one task; returns the sum of the pages."""
    from shared import steps

    pages = []
    for center_id in steps.list_centers():
        steps.assign_center(run, center_id, attempt=attempt())
        pages += _rolls(run, steps.list_stations(run, center_id))
    return steps.sum_pages(run, pages, attempt=attempt())


# A list that is empty maps over nothing: that task is skipped, and with it what only runs after a
# success. A fan-in has something to say then too, so it runs unless something has failed.
@step(trigger_rule="none_failed")
def sum_pages(run: str, pages: Sequence[int]) -> int:
    """The fan-in."""
    from shared import steps

    return steps.sum_pages(run, list(pages), attempt=attempt())


@step()
def publish_summary(run: str) -> int:
    """Make the sum public; returns it."""
    from shared import steps

    return steps.publish_summary(run, attempt=attempt())


@step()
def object_to(run: str, station_ids: list[str]) -> None:
    """Forbid the roll of the first station."""
    from shared import steps
    from shared.variants import OBJECTION

    for first in station_ids[:1]:
        steps.object_to(run, first, OBJECTION)


@step(trigger_rule="one_failed")
def record_error(run: str, errors: Sequence[dict[str, str]]) -> None:
    """The error callback: called with the first error, in order."""
    from shared import steps

    steps.record_error(run, errors[0]["text"], attempt=attempt())


@step()
def missing_rolls(run: str) -> list[str]:
    """The stations whose roll the database or the disk lacks."""
    from shared import steps

    return steps.missing_rolls(run)


@step(trigger_rule="none_failed")
def sum_printed_pages(run: str) -> int:
    """The fan-in from the database, which knows the parts when nobody else does."""
    from shared import steps

    return steps.sum_pages(run, steps.printed_pages(run), attempt=attempt())
