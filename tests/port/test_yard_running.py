"""Tasks as they are met in the wild, on real servers: objects, attempts of several kinds, sends.

The same cases in a real Celery worker and on Temporal: the calls of the tasks, and the ends.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from offcanvas.servers import redis, start_together, temporal
from tests.port.project import Folder

pytestmark = pytest.mark.servers
WITHIN = 120.0  # seconds; a limit for what never comes, not an expectation

CASES: list[tuple[str, dict[str, Any]]] = [
    ("shipment", {"number": 7}),
    ("shipments", {"numbers": [1, 2, 3]}),
    *(
        ("move", {"kind": kind})
        for kind in ("plain", "slow", "stuck", "slow elsewhere", "tired", "never")
    ),
    ("find", {"kind": "lost"}),
    ("find", {"kind": "found"}),
    ("intake", {"numbers": [11, 12]}),
    *(("restock", {"kind": kind}) for kind in ("full", "empty", "closed")),
]
CELERY = """
import json, sys
from yard import tasks
sent = []
for name, given in json.loads(sys.argv[1]):
    made = getattr(tasks, name)
    sent.append(made.delay(**given) if hasattr(made, "delay") else made(**given).apply_async())
ends = []
for (_, given), result in zip(json.loads(sys.argv[1]), sent):
    if given.get("kind") == "never":  # nobody gets a result
        ends.append(["value", None])
        continue
    try:
        ends.append(["value", result.get(timeout=100)])
    except Exception as error:
        ends.append(["error", type(error).__name__])
print(json.dumps(ends))
"""
TEMPORAL = """
import asyncio, inspect, json, sys
from temporalio.client import WorkflowFailureError
from yard_temporal import inputs, starter, workflows

async def main():
    client = await starter.connect()
    async def run(name, given):
        run = inspect.signature(getattr(workflows, name.title()).run).parameters["given"]
        id = await getattr(starter, f"start_{name}")(run.annotation(**given), client=client)
        try:
            return ["value", await starter.wait(id, client)]
        except WorkflowFailureError as failure:
            return ["error", failure.cause.cause.type]
    print(json.dumps(await asyncio.gather(*(run(*one) for one in json.loads(sys.argv[1])))))

asyncio.run(main())
"""
SCRIPTS = {"celery": CELERY, "temporal": TEMPORAL}
WORKERS = {
    "celery": ["-m", "celery", "-A", "yard.tasks", "worker", "-c", "4", "-P", "threads"],
    "temporal": ["-m", "yard_temporal.worker"],
}


@dataclass
class All:
    """Two workers, each with a ledger of its own."""

    folder: Folder
    environment: dict[str, str]

    def run(self) -> dict[str, tuple[list[Any], list[str]]]:
        """How each case ended and the sorted ledger, on each engine."""
        running = {}
        for engine, script in SCRIPTS.items():
            _ledger(self.folder, engine).write_text("")
            running[engine] = subprocess.Popen(
                [sys.executable, "-c", script, json.dumps(CASES)],
                cwd=self.folder.path, env={**os.environ, **self.environment},
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        told = {}
        for engine, process in running.items():
            out, _ = process.communicate(timeout=WITHIN)
            told[engine] = (json.loads(out.splitlines()[-1]), _settled(self.folder, engine))
        return told


def _ledger(folder: Folder, engine: str) -> Path:
    return folder.path / f"{engine}.jsonl"


def _settled(folder: Folder, engine: str) -> list[str]:
    """The lines, once no more come: what a body sends may end after its sender."""
    before, since = -1, time.monotonic()
    deadline = since + WITHIN
    while time.monotonic() < deadline:
        lines = _ledger(folder, engine).read_text().splitlines()
        if len(lines) != before:
            before, since = len(lines), time.monotonic()
        elif time.monotonic() - since > 2:
            # What is around a task that has become a workflow is not around it (PORT144).
            return sorted(line for line in lines if "'restock'" not in line)
        time.sleep(0.1)
    raise TimeoutError(f"the ledger of {engine} does not come to rest")


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[All]:
    folder = Folder.of_example("yard", tmp_path_factory.mktemp("yard"))
    ported = folder.port(".", "--to", "temporal")
    assert ported.code == 1, ported.err
    assert "todo" not in ported.out
    with ExitStack() as stack:
        # Celery's worker takes pickles as root only when it is told to.
        environment = {"C_FORCE_ROOT": "1"}
        for server in stack.enter_context(start_together(redis, temporal)):
            environment |= server.environment
        for engine, command in WORKERS.items():
            log = stack.enter_context((folder.path / f"{engine}.log").open("w"))
            own = {**environment, "YARD_LEDGER": str(_ledger(folder, engine))}
            worker = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder.path, env={**os.environ, **own}, stdout=log, stderr=log,
            )  # fmt: skip
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        yield All(folder, environment)


def test_the_same_calls_and_the_same_ends(everywhere: All) -> None:
    told = everywhere.run()
    ends, calls = told["celery"]
    named = {json.dumps(case): end for case, end in zip(CASES, ends, strict=True)}
    assert named[json.dumps(("move", {"kind": "tired"}))] == ["value", "tired"]
    assert named[json.dumps(("move", {"kind": "slow elsewhere"}))] == ["error", "Slow"]
    assert sum("stuck" in call and "lift" in call for call in calls) == 2
    assert sum('"label"' in call for call in calls) == 6
    assert sum('"search"' in call and "lost" in call for call in calls) == 4
    assert told["temporal"] == told["celery"]
