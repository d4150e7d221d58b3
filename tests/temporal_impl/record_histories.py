"""Record the histories that `test_replay` replays.

    python -m tests.temporal_impl.record_histories

Do this after a change that `test_replay` has caught and that is wanted, and only when no workflow
of the old code is open anywhere any more (or the change stands behind `workflow.patched`).
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import Client as TemporalClient

from shared.variants import VARIANTS
from temporal_impl.connection import connect
from temporal_impl.sweep import run_sweep
from tests.temporal_impl.stage import Stage, effects, stage, until

HISTORIES = Path(__file__).with_name("histories")
# The parent of two batches: only the parent's history is kept, the batches' are large.
WIDE = "noop:1001"


def record() -> list[Path]:
    """Run everything once; returns the files written."""
    with tempfile.TemporaryDirectory(prefix="oc-histories-") as folder, stage(Path(folder)) as made:
        with made.worker():
            names = _run_all(made)
        return asyncio.run(_save(names))


def _run_all(made: Stage) -> dict[str, str]:
    """Workflow ids by the file names that their histories get."""
    client = made.client
    names = {}
    for variant in [*(variant.name for variant in VARIANTS), WIDE, "nap:3", "fib10:2"]:
        run_id = variant.replace(":", "-")
        execution = client.start(variant, run_id)
        client.wait(execution, 300)
        names[run_id] = execution
    until(lambda: len(effects("group")) == 5)
    names["fan_out"] = "group/group/batch-0"
    for path in (made.folder / "rolls" / "chord_by_station").glob("*.pdf"):
        path.unlink()
    assert run_sweep(0, once=True) == ["chord_by_station"]
    client.wait("repair/chord_by_station", 120)
    return {**names, "repair": "repair/chord_by_station"}


async def _save(names: dict[str, str]) -> list[Path]:
    client: TemporalClient = await connect()
    paths = []
    for name, workflow_id in names.items():
        history = await client.get_workflow_handle(workflow_id).fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(json.dumps(without_traces(history.to_json_dict()), indent=1) + "\n")
        paths.append(path)
    return paths


def without_traces(value: Any) -> Any:
    """The history without tracebacks, which name the files of whoever recorded it."""
    if isinstance(value, list):
        return [without_traces(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("applicationFailureInfo", {}).get("type") == "_RemoteTraceback":
        value = {**value, "message": ""}
    return {key: without_traces(item) for key, item in value.items() if key != "stackTrace"}


if __name__ == "__main__":
    for written in record():
        print(written.relative_to(Path.cwd()))  # noqa: T201 - the answer of a command
