"""A worker whose code has changed: `python -m comparisons.lab.states.changed ENGINE HOW N`.

HOW is `required` or `default`: what the further argument is. The calls that are under way know
nothing of it.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared import metrics
from shared.settings import settings


def celery(how: str, concurrency: int) -> None:
    """`generate_roll(run_id, station_id, paper)`."""
    from celery_impl.worker import run_worker

    change_task(how)
    run_worker(concurrency)


def change_task(how: str) -> None:
    """Put the changed task in the place of the one that the app has."""
    from celery_impl.app import PROFILE, app
    from celery_impl.tasks import generate_roll
    from shared import steps

    app.tasks.pop(generate_roll.name)

    def required(run_id: str, station_id: str, paper: str) -> int:
        return steps.generate_roll(run_id, station_id) if paper else 0

    def default(run_id: str, station_id: str, paper: str = "A4") -> int:
        return required(run_id, station_id, paper)

    changed = required if how == "required" else default
    app.task(name=generate_roll.name, **PROFILE.step)(changed)  # type: ignore[no-untyped-call]


def prefect(_how: str, concurrency: int) -> None:
    """`chord_by_station(run_id, paper="A4")`."""
    from prefect_impl.environment import configure

    configure()
    from prefect import flow

    from prefect_impl.options import FLOW
    from prefect_impl.registry import FLOWS
    from prefect_impl.worker import run_worker

    before = FLOWS["chord_by_station"]

    def chord_by_station(run_id: str, paper: str = "A4") -> Any:
        return before.fn(run_id) if paper else None

    FLOWS["chord_by_station"] = flow(name="chord_by_station", **FLOW)(chord_by_station)
    run_worker(concurrency)


@dataclass(frozen=True, slots=True)
class StationOnPaper:
    """What `temporal_impl.inputs.Station` has become."""

    run_id: str
    station_id: str
    paper: str = "A4"


def temporal(_how: str, concurrency: int) -> None:
    """The activity `generate_roll` takes a message with a further field."""
    from temporalio import activity

    from shared import steps
    from temporal_impl.activities import Activities
    from temporal_impl.worker import run_worker

    class Changed(Activities):
        @activity.defn
        async def generate_roll(self, station: StationOnPaper) -> int:  # type: ignore[override]  # the change
            step = partial(steps.generate_roll, station.run_id, station.station_id)
            return await self._do(step) if station.paper else 0

    Activities.generate_roll = Changed.generate_roll  # type: ignore[assignment, method-assign]  # the change
    run_worker(concurrency)


_CHANGED_DAG = """
from airflow.sdk import dag
from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import STATION, _rolls, assign_all, step, sum_pages

@step(map_index_template=STATION)
def generate_roll(run, station_id, paper="A4"):
    return _rolls(run, [station_id])[0] if paper else 0

@dag(**DAG)
def chord_by_station():
    sum_pages(RUN, generate_roll.partial(run=RUN).expand(station_id=assign_all(RUN)))

chord_by_station()
"""


def airflow(_how: str, concurrency: int) -> None:
    """`generate_roll(run, station_id, paper="A4")` in the folder that the worker reads DAGs from.

    The DAG processor has read the old one; a task's process reads the file that it finds.
    """
    from airflow_impl.names import DAGS
    from airflow_impl.worker import run_worker

    folder = settings().rolls_dir.parent / "changed-dags"
    shutil.copytree(DAGS, folder, dirs_exist_ok=True)
    (folder / "chord_by_station.py").write_text(_CHANGED_DAG, encoding="utf-8")
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    run_worker(concurrency)


_WORKERS = {"airflow": airflow, "celery": celery, "prefect": prefect, "temporal": temporal}

if __name__ == "__main__":
    if settings().metrics_port is not None:
        metrics.start(settings().metrics_port, settings().metrics_host)
    _WORKERS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
