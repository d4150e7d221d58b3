"""Who did what when, from the task instances in Airflow's metadata database.

A row says when its task was queued for the executor, when its process began and when it had ended;
between the last two is more than our code: the process is forked, reads the DAG's file and the
task's arguments. A retry moves the earlier attempt's row to a history, which is read as well. A
process executes one task; so that a timeline has as many rows as there were slots, processes are
laid onto lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow_impl.api import Api, run_path, segment
from airflow_impl.names import ENGINE
from airflow_impl.repairs import ROLLS
from shared.contract import TaskSpan
from shared.lanes import on_lanes
from shared.ledger import WHOLE_RUN

HANDS_OVER = ("group", "parallel_with_join")


def read_spans(api: Api, dag_id: str, run_id: str) -> list[TaskSpan]:
    """Every executed task instance of the DAG run and of what it has handed over, by start."""
    spans = list(_spans(api, run_path(dag_id, run_id)))
    if dag_id in HANDS_OVER and api.find(run_path(ROLLS, run_id)) is not None:
        spans += _spans(api, run_path(ROLLS, run_id))
    return on_lanes(spans)


def _spans(api: Api, path: str) -> Iterator[TaskSpan]:
    for row in api.pages(f"{path}/taskInstances", "task_instances"):
        yield from _span(row)
        if row["try_number"] > 1:
            task = f"{path}/taskInstances/{segment(row['task_id'])}"
            mapped = f"/{row['map_index']}" if row["map_index"] >= 0 else ""
            for earlier in api.get(f"{task}{mapped}/tries")["task_instances"]:
                if earlier["try_number"] != row["try_number"]:
                    yield from _span(earlier)


def _span(row: dict[str, Any]) -> Iterator[TaskSpan]:
    # One that was never given to a process (skipped, upstream_failed) has times, but no process.
    if not (row["start_date"] and row["end_date"] and row["pid"]):
        return
    item = row.get("rendered_map_index")
    if item is None:
        item = WHOLE_RUN if row["map_index"] < 0 else str(row["map_index"])
    yield TaskSpan(
        task=row["task_id"],
        item=item,
        worker=row["hostname"] or ENGINE,
        queued_at=_seconds(row["queued_when"]),
        started_at=_seconds(row["start_date"]) or 0.0,
        finished_at=_seconds(row["end_date"]) or 0.0,
        attempt=row["try_number"],
    )


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
