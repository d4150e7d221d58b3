"""The ported shop on a real Temporal server, against a real Celery worker: the same ledgers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from offcanvas.servers import redis, start_together, temporal
from tests.port.project import Folder

pytestmark = pytest.mark.servers
WITHIN = 120.0  # seconds; a limit for what never comes, not an expectation

CALL = """
import json, sys
from shop import tasks
name, given = sys.argv[1], json.loads(sys.argv[2])
made = getattr(tasks, name)
sent = made.delay(**given) if hasattr(made, "delay") else made(**given).apply_async()
try:
    print(json.dumps(["value", sent.get(timeout=100)]))
except Exception as error:
    print(json.dumps(["error", type(error).__name__]))
"""
START = """
import json, sys
from pathlib import Path
from temporalio.client import WorkflowFailureError
from shop_temporal import inputs, starter
name, given = sys.argv[1], json.loads(sys.argv[2])
shape = getattr(inputs, "".join(w.title() for w in name.split("_")) + "Input")
started = starter.in_sync(getattr(starter, f"start_{name}")(shape(**given)))
try:
    print(json.dumps(["value", starter.in_sync(starter.wait(started))]))
except WorkflowFailureError as failure:
    print(json.dumps(["error", failure.cause.cause.type]))
kept = Path(sys.argv[3])
kept.write_text(starter.in_sync(starter.history(started)))
for event in json.loads(kept.read_text())["events"]:
    slice = event.get("childWorkflowExecutionStartedEventAttributes")
    if slice:
        found = starter.in_sync(starter.history(slice["workflowExecution"]["workflowId"]))
        kept.with_stem(f"{kept.stem}-slice-{event['eventId']}").write_text(found)
"""

DELAYED = """
import json
from datetime import timedelta
from shop_temporal import inputs, starter
given = inputs.RefreshInput(["a"])
started = starter.in_sync(starter.start_refresh(given, delay=timedelta(hours=1)))
print(starter.in_sync(starter.history(started)))
starter.in_sync(starter.cancel(started))
"""


@dataclass
class Both:
    """Two workers, each with a ledger of its own."""

    folder: Folder
    environment: dict[str, str]

    def run(self, name: str, **given: object) -> dict[str, tuple[object, list[str]]]:
        """The outcome and the sorted ledger, on each engine."""
        told: dict[str, tuple[object, list[str]]] = {}
        for engine, script in (("celery", CALL), ("temporal", START)):
            ledger = self.folder.path / f"{engine}.jsonl"
            ledger.write_text("")
            case = "-".join([name, *map(str, given.values())])
            history = str(self.folder.path / "shop_temporal/tests/histories" / f"{case}.json")
            ended = self.folder.run(
                "-c", script, name, json.dumps(given), history, **self.environment
            )
            assert ended.code == 0, ended.err
            told[engine] = (json.loads(ended.out), _settled(ledger))
        return told


def _settled(ledger: Path) -> list[str]:
    """The lines, once no more come: an errback may end after the caller has its error."""
    before, since = -1, time.monotonic()
    deadline = since + WITHIN
    while time.monotonic() < deadline:
        lines = ledger.read_text().splitlines()
        if len(lines) != before:
            before, since = len(lines), time.monotonic()
        elif time.monotonic() - since > 2:
            return sorted(lines)
        time.sleep(0.1)
    raise TimeoutError(f"{ledger} does not come to rest")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = Folder.of_example("shop", tmp_path_factory.mktemp("running"))
    ported = folder.port(".", "--to", "temporal", *folder.all_samples())
    assert ported.code == 1, ported.err
    (folder.path / "shop_temporal/tests/histories").mkdir()
    # So that three members are already too many for one history.
    fan_out = (folder.path / "shop_temporal/fan_out.py").read_text()
    assert "\nSLICE = 500\n" in fan_out
    folder.write("shop_temporal/fan_out.py", fan_out.replace("SLICE = 500", "SLICE = 2"))
    with ExitStack() as stack:
        environment: dict[str, str] = {}
        for server in stack.enter_context(start_together(redis, temporal)):
            environment |= server.environment
        commands = {
            "celery": ["-m", "celery", "-A", "shop.tasks", "worker", "-c", "2"],
            "temporal": ["-m", "shop_temporal.worker"],
        }
        for engine, command in commands.items():
            ledger = str(folder.path / f"{engine}.jsonl")
            log = stack.enter_context((folder.path / f"{engine}.log").open("w"))
            worker = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder.path,
                env={**os.environ, **environment, "SHOP_LEDGER": ledger},
                stdout=log,
                stderr=log,
            )
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        yield Both(folder, environment)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rolls", {"run_id": "good"}),
        ("rolls", {"run_id": "bad"}),
        ("import_feed", {"url": "plain"}),
        ("import_feed", {"url": "flaky"}),
        ("import_feed", {"url": "gone"}),
        ("nightly", {"day": "monday"}),
        ("refresh", {"names": ["a", "b", "c"]}),
    ],
)
def test_the_same_calls_and_the_same_end(both: Both, name: str, given: dict[str, object]) -> None:
    told = both.run(name, **given)
    assert told["temporal"] == told["celery"]
    assert told["celery"][1]


def test_a_nested_group_keeps_its_order(both: Both) -> None:
    """Celery reverses it (Deviation.NESTED_GROUP_ORDER); all else is the same."""
    told = both.run("previews", path="A")
    celery, temporal_ = told["celery"][1], told["temporal"][1]
    assert [line for line in celery if "gallery" not in line] == [
        line for line in temporal_ if "gallery" not in line
    ]
    assert told["temporal"][0] == ["value", "a@64+a@128+a@256+a.exif"]
    assert told["celery"][0] == ["value", "a@64+a@256+a@128+a.exif"]


def test_the_server_keeps_what_is_started_after_a_delay(both: Both) -> None:
    ended = both.folder.run("-c", DELAYED, **both.environment)
    assert ended.code == 0, ended.err
    (begun, *rest) = json.loads(ended.out)["events"]
    assert begun["workflowExecutionStartedEventAttributes"]["firstWorkflowTaskBackoff"] == "3600s"
    assert rest == []


def test_slices_are_child_workflows(both: Both) -> None:
    """The histories are those of the tests above: of workflows, and of their slices."""
    kept = (both.folder.path / "shop_temporal/tests/histories").glob("*-slice-*")
    assert {file.name.partition("-")[0] for file in kept} == {"rolls", "nightly"}


def test_the_emitted_tests_pass(both: Both) -> None:
    """Run last: the histories that are replayed are those of the tests above."""
    ended = both.folder.run(
        *("-m", "pytest", "-q", "-p", "no:offcanvas", "shop_temporal/tests"),
        *("--deselect", "shop_temporal/tests/test_equivalence.py::test_same_result"),
        **both.environment,
    )
    assert ended.code == 0, ended.out
    same = both.folder.run(
        *("-m", "pytest", "-q", "shop_temporal/tests/test_equivalence.py"), **both.environment
    )
    assert same.code == 0, same.out
    assert "4 passed, 1 xfailed" in same.out  # previews: PORT145


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # a step that is left out
        ("return await workflow.execute_activity(do.store, numbers, **policies.STORE)",
         "return len(numbers)"),
        # a fan-out that has become sequential
        ("return await all_of(self._one_order(order) for order in given.orders)",
         "return [await self._one_order(order) for order in given.orders]"),
    ],
)  # fmt: skip
def test_a_changed_workflow_does_not_replay(both: Both, before: str, after: str) -> None:
    file = both.folder.path / "shop_temporal/workflows.py"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    try:
        ended = both.folder.run(
            *("-m", "pytest", "-q", "shop_temporal/tests/test_replay.py"), **both.environment
        )
    finally:
        file.write_text(text)
    assert ended.code == 1
    assert "TMPRL1100" in ended.out
