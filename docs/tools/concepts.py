"""The concept map: Celery's word, Temporal's, Prefect's, Airflow's; one row for each feature.

The engines' own words stand here; what the kit does with a feature comes from the support tables.
A feature without a word has what the tables say. The kit runs no canvas on Airflow: there its words
stand alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from offcanvas.engines.features import Feature
from offcanvas.engines.registry import BUILT_IN, table_of
from offcanvas.engines.support import Support

#: The marker in docs/concepts.md that the map takes the place of.
MARKER: Final = "<!-- concept map -->"

#: What one would write there by hand: on Temporal, on Prefect.
WORDS: Final[Mapping[Feature, tuple[str, str]]] = {
    Feature.NODE_TASK: ("activity", "task"),
    Feature.NODE_CHAIN: (
        "`await` one activity after the other in a workflow",
        "calls one after the other in a flow",
    ),
    Feature.NODE_GROUP: ("`asyncio.gather` over activities", "`task.map`, or several `submit`"),
    Feature.NODE_CHORD: (
        "`gather`, then the next activity with the list",
        "`map`, then a task with the list of futures",
    ),
    Feature.NODE_MAP: ("a loop in one activity", "a loop in one task"),
    Feature.NODE_STARMAP: ("a loop in one activity", "a loop in one task"),
    Feature.NODE_CHUNKS: ("an activity for each slice", "a task run for each slice"),
    Feature.OPTION_QUEUE: ("task queue", "work queue of a work pool"),
    Feature.OPTION_PRIORITY: ("`Priority(priority_key=...)`", "priority of a work queue"),
    Feature.OPTION_COUNTDOWN: ("`workflow.sleep`, `start_delay`", "a scheduled flow run"),
    Feature.OPTION_ETA: ("`workflow.sleep`, `start_delay`", "a scheduled flow run"),
    Feature.OPTION_EXPIRES: ("`schedule_to_start_timeout`", "cancel the late flow run"),
    Feature.OPTION_TIME_LIMIT: ("`start_to_close_timeout`", "`timeout_seconds`"),
    Feature.OPTION_SOFT_TIME_LIMIT: ("heartbeat and cancellation", "`timeout_seconds`"),
    Feature.OPTION_IGNORE_RESULT: ("an activity that returns nothing", "`persist_result=False`"),
    Feature.OPTION_SERIALIZER: ("payload converter, codec", "`result_serializer`"),
    Feature.OPTION_SHADOW: ("activity `summary`", "`task_run_name`"),
    Feature.OPTION_STAMPS: ("headers, search attributes", "tags"),
    Feature.OPTION_LINK: ("the next `await`", "the next call"),
    Feature.OPTION_LINK_ERROR: ("`except ActivityError`", "`on_failure` hook, `except`"),
    Feature.TASK_RETRY: ("`RetryPolicy`", "`retries`, `retry_delay_seconds`"),
    Feature.TASK_REPLACE: ("the workflow decides what runs next", "the flow decides"),
    Feature.TASK_ADD_TO_CHORD: ("append to the list that is gathered", "append to the futures"),
    Feature.TASK_STARTS_CANVAS: ("child workflow, abandoned", "`run_deployment`"),
    Feature.TASK_REQUEST: ("`activity.info()`", "`prefect.runtime`"),
    Feature.TASK_RESULT_GET: ("`await` in the workflow", "`future.result()` in the flow"),
    Feature.TASK_REVOKE: ("cancel the workflow", "cancel the flow run"),
    Feature.HOOKS_AND_SIGNALS: ("interceptors", "state hooks"),
    Feature.MESSAGE_SIGNALS: ("client interceptors", "automations on events"),
    Feature.JSON_VALUES: ("default data converter", "JSON result serializer"),
    Feature.OTHER_SERIALIZERS: ("a data converter of your own", "a serializer of your own"),
    Feature.IGNORE_AND_REJECT: ("a workflow that returns early", "a state that is returned"),
    Feature.STORED_EXCEPTIONS: ("failure converter", "the state's data"),
    Feature.RESULT_BACKEND: ("the workflow's history", "result storage"),
    Feature.KILLED_WORKER: ("heartbeat timeout, then another attempt", "heartbeats, then Crashed"),
}

#: The same on Airflow. What is not named has no counterpart there.
AIRFLOW: Final[Mapping[Feature, str]] = {
    Feature.NODE_TASK: "task of a DAG (`@task`); each try is a process of its own",
    Feature.NODE_CHAIN: "arrows: an argument makes one, and `>>` does",
    Feature.NODE_GROUP: "`expand` over the list that another task has returned",
    Feature.NODE_CHORD: "a task that takes the mapped one's results; `trigger_rule` says when",
    Feature.NODE_MAP: "a loop in one task; `expand` is parallel",
    Feature.NODE_STARMAP: "a loop in one task; `expand_kwargs` is parallel",
    Feature.NODE_CHUNKS: "a task that cuts the list, then `expand` over the slices",
    Feature.OPTION_QUEUE: "`queue`, with the CeleryExecutor",
    Feature.OPTION_PRIORITY: "`priority_weight`, `weight_rule`",
    Feature.OPTION_COUNTDOWN: "`run_after` of the DAG run, a deferred sensor in between",
    Feature.OPTION_ETA: "`run_after` of the DAG run, a deferred sensor in between",
    Feature.OPTION_TIME_LIMIT: "none for a task; `dagrun_timeout` for the whole",
    Feature.OPTION_SOFT_TIME_LIMIT: "`execution_timeout`",
    Feature.OPTION_IGNORE_RESULT: "`do_xcom_push=False`",
    Feature.OPTION_SERIALIZER: "an XCom backend",
    Feature.OPTION_SHADOW: "`map_index_template`, `task_display_name`",
    Feature.OPTION_STAMPS: "tags of the DAG, notes on the run",
    Feature.OPTION_LINK: "the next arrow",
    Feature.OPTION_LINK_ERROR: "a task with `one_failed`; `on_failure_callback`",
    Feature.TASK_RETRY: "`retries`, `retry_policy` by exception",
    Feature.TASK_REPLACE: "none: the DAG has its shape before it runs; `@task.branch` chooses",
    Feature.TASK_ADD_TO_CHORD: "none: what is mapped over is known when it begins",
    Feature.TASK_STARTS_CANVAS: "`TriggerDagRunOperator`",
    Feature.TASK_REQUEST: "the context: `ti`, `dag_run`, `params`",
    Feature.TASK_RESULT_GET: "an arrow; a sensor in the mode `reschedule`, or deferred",
    Feature.TASK_REVOKE: "set the state of the DAG run or of the task instance",
    Feature.TASK_ROUTES: "`queue` on the task, cluster policies",
    Feature.RATE_LIMIT: "a pool limits how many at a time, not how often",
    Feature.HOOKS_AND_SIGNALS: "listeners, callbacks of tasks and DAGs",
    Feature.JSON_VALUES: "XComs, as JSON in the metadata database",
    Feature.OTHER_SERIALIZERS: "an XCom backend of your own, such as object storage",
    Feature.IGNORE_AND_REJECT: "`AirflowSkipException`, `AirflowFailException`",
    Feature.STORED_EXCEPTIONS: "none: a state, and the words in a log",
    Feature.RESULT_BACKEND: "XComs in the metadata database",
    Feature.KILLED_WORKER: "heartbeat timeout of the task instance, then another try",
}


def markdown() -> str:
    """The map as a Markdown table; each row leads to the feature's row in support.md."""
    temporal, prefect = (
        table_of(next(one for one in BUILT_IN if one.name == name))
        for name in ("temporal", "prefect")
    )
    lines = ["| Celery | Temporal | Prefect | Airflow |", "|---|---|---|---|"]
    for feature in Feature:
        words = WORDS.get(feature, ("", ""))
        cells = (
            _cell(words[0], temporal[feature]),
            _cell(words[1], prefect[feature]),
            AIRFLOW.get(feature, "-"),
        )
        row = (f"[{feature.text}](support.md#{feature})", *cells)
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |")
    return "\n".join(lines)


def _cell(word: str, support: Support) -> str:
    kit = f"kit: {support.level}" + (f", {support.note}" if support.note else "")
    return f"{word}<br>{kit}" if word else kit


if __name__ == "__main__":
    sys.stdout.write(markdown() + "\n")
