"""The same canvases in a real Celery worker and as Prefect flows: what was called, how it ended.

Both sides run in the ported project's folder, each in a process of its own. A case is the name of
a builder or task with its keyword arguments; each case has a ledger of its own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.port.project import Folder

Case = tuple[str, dict[str, Any]]

_CELERY = """
import json, sys, time
from pathlib import Path
from celery import Task
from celery.contrib.testing.worker import start_worker
from PACKAGE import rows, tasks

url, cases = sys.argv[1], json.loads(sys.argv[2])
tasks.app.conf.update(broker_url=url, result_backend=url, worker_hijack_root_logger=False)
ends = []
queues = ["celery", "heavy"]
with start_worker(
    tasks.app, perform_ping_check=False, pool="threads", concurrency=8, queues=queues
):
    for number, (name, given) in enumerate(cases):
        rows.LEDGER = Path(f"celery-{number}.jsonl")
        builder = getattr(tasks, name)
        canvas = builder.s(**given) if isinstance(builder, Task) else builder(**given)
        try:
            ends.append(["returned", canvas.apply_async().get(timeout=60)])
        except Exception as error:
            ends.append(["failed", type(error).__name__, str(error)])
        # The caller knows of the end before callbacks and error callbacks are executed.
        quiet, before = 0, ""
        while quiet < 10:
            time.sleep(0.1)
            now = rows.LEDGER.read_text() if rows.LEDGER.exists() else ""
            quiet, before = (quiet + 1 if now == before else 0), now
print(json.dumps(ends))
"""

_PREFECT = """
import json, sys
from PACKAGE import rows
from PACKAGE_prefect import flows, worker

if hasattr(worker, "declare_rates"):
    worker.declare_rates()
ends = []
for number, (name, given) in enumerate(json.loads(sys.argv[1])):
    try:
        ends.append(["returned", getattr(flows, name)(**given)])
    except Exception as error:
        ends.append(["failed", type(error).__name__, str(error)])
    # Steps with a time limit are in processes of their own, which know the ledger by its name.
    if rows.LEDGER.exists():
        rows.LEDGER.rename(f"prefect-{number}.jsonl")
print(json.dumps(ends))
"""


@dataclass(frozen=True)
class Run:
    """How a case ended, and the calls of its tasks in an order that does not depend on threads."""

    end: list[Any]
    calls: list[Any]


def in_celery(folder: Folder, package: str, broker: str, cases: Sequence[Case]) -> list[Run]:
    ended = folder.run("-c", _CELERY.replace("PACKAGE", package), broker, json.dumps(cases))
    assert ended.code == 0, ended.err
    return _runs(folder, "celery", json.loads(ended.out.splitlines()[-1]))


def in_prefect(folder: Folder, package: str, api: str, cases: Sequence[Case]) -> list[Run]:
    script = _PREFECT.replace("PACKAGE", package)
    variables = {**prefect_settings(folder, api), "SHOP_LEDGER": str(folder.path / "prefect.jsonl")}
    ended = folder.run("-c", script, json.dumps(cases), **variables)
    assert ended.code == 0, ended.err
    return _runs(folder, "prefect", json.loads(ended.out.splitlines()[-1]))


def prefect_settings(folder: Folder, api: str) -> dict[str, str]:
    """The environment of a process that talks to a server; results are kept in the folder."""
    return {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder.path / "home")}


def _runs(folder: Folder, side: str, ends: list[list[Any]]) -> list[Run]:
    runs = []
    for number, end in enumerate(ends):
        ledger = folder.path / f"{side}-{number}.jsonl"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        runs.append(Run(end, sorted((json.loads(line) for line in lines), key=json.dumps)))
    return runs
