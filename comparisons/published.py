"""The published benchmark of workflow engines, beside ours.

Ten times fib(33) and forty times fib(10), one task after the other, each engine set up by its own
Compose file on an AWS m4.large: https://www.windmill.dev/docs/misc/benchmarks/competitors (seconds
from the start to the end of the last task; Airflow 2.7.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comparisons.engines import NAMES
from comparisons.words import seconds, times

SOURCE = "https://www.windmill.dev/docs/misc/benchmarks/competitors"
SECONDS: dict[str, dict[str, float]] = {
    "fib33:10": {"airflow": 54.668, "prefect": 15.489, "temporal": 7.247},
    "fib10:40": {"airflow": 116.221},
}


def beside(results: Mapping[str, Any]) -> list[str]:
    """Lines of a Markdown table: the published figures, and those of results.json.

    Empty where neither of the two jobs was run.
    """
    lines = []
    for row in results["summary"]:
        published = SECONDS.get(row["job"])
        if published is None or row["makespan"] is None:
            continue
        ours, theirs = row["makespan"]["median"], published.get(row["engine"])
        least = min(
            (other["makespan"]["median"] for other in results["summary"]
             if other["job"] == row["job"] and other["makespan"]),
        )  # fmt: skip
        lines.append(
            f"| {row['job']} | {NAMES[row['engine']]} | {seconds(ours)} | {times(ours / least)} | "
            f"{'-' if theirs is None else seconds(theirs)} |"
        )
    if not lines:
        return []
    head = f"| job | engine | here | of the fastest here | [published]({SOURCE}) |"
    return [head, "|---|---|---|---|---|", *lines]
