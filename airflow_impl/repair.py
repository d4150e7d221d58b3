"""Make up what a run lacks, from the database alone."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import Context, Param, dag, task

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import (
    assign_all,
    generate_roll,
    missing_rolls,
    publish_summary,
    sum_printed_pages,
)

FLAG = Param(False, type="boolean")
FLAGS = {"assign": FLAG, "sum_pages": FLAG, "publish": FLAG}


def asked_for(flag: str) -> Callable[[Context], bool]:
    """Whether the parameter is set; a task that is not asked for is skipped."""
    return lambda context: bool(context["params"][flag])


@dag(**{**DAG, "params": {**DAG["params"], **FLAGS}})
def repair() -> None:
    """assign_all if need be, then generate_roll per missing roll | sum from the database.

    Which rolls are missing is asked anew at the time.
    """
    anyway = {"trigger_rule": "none_failed"}  # also after one that is skipped
    assigned = task.run_if(asked_for("assign"))(assign_all.override())(RUN)
    missing = missing_rolls.override(**anyway)(RUN)
    printed = generate_roll.partial(run=RUN).expand(station_id=missing)
    summed = task.run_if(asked_for("sum_pages"))(sum_printed_pages.override(**anyway))(RUN)
    published = task.run_if(asked_for("publish"))(publish_summary.override(**anyway))(RUN)
    assigned >> missing
    printed >> summed >> published


repair()
