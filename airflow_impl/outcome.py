"""From a DAG run that has ended to what the caller gets."""

from __future__ import annotations

import ast
from typing import Any

from airflow_impl.api import Api, run_path, segment
from airflow_impl.names import ERROR
from shared.contract import Outcome


def outcome_of(api: Api, run: dict[str, Any], answer: str | None) -> Outcome:
    """The total, or the original exception's type and text.

    Airflow keeps of a failure its state alone. A step leaves its exception as an XCom; one whose
    process died could not, and the caller gets what there is.

    Args:
        run: the DAG run, as the API server describes it.
        answer: the task whose XCom is the answer; None where there is none.
    """
    path = run_path(run["dag_id"], run["dag_run_id"])
    if run["state"] == "success":
        if answer is None:
            return Outcome()
        return Outcome(total_pages=_number(_xcom(api, path, answer, "return_value", -1)))
    failed = sorted(
        api.pages(f"{path}/taskInstances", "task_instances", state="failed"),
        key=lambda task: (task["end_date"] or "", task["map_index"]),
    )
    for task in failed:
        error = _xcom(api, path, task["task_id"], ERROR, task["map_index"])
        if isinstance(error, dict):
            return Outcome(error_type=error["type"], error_text=error["text"], wrapped_in="failed")
    which = f"{failed[0]['task_id']} has failed" if failed else "no task has failed"
    return Outcome(
        error_type="failed", error_text=f"{which}, and no exception was left", wrapped_in="failed"
    )


def _xcom(api: Api, path: str, task_id: str, key: str, map_index: int) -> Any:
    found = api.find(
        f"{path}/taskInstances/{segment(task_id)}/xcomEntries/{segment(key)}",
        map_index=map_index,
        stringify=False,
    )
    return None if found is None else found["value"]


def _number(value: Any) -> int | None:
    return None if value is None else int(ast.literal_eval(str(value)))
