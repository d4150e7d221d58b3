"""The ten canvases of the reference, ported by program, on real servers: the same rolls.

What is verified is what `tests/equivalence` verifies of the ports by hand: the answer, the rows,
the bytes of every file and the ledger of executed steps, against rolls that were printed without an
engine. Celery's own side is in `tests/equivalence`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from comparisons import baseline
from comparisons.reference import Reference, read_reference
from comparisons.verify import verify_variant
from offcanvas.servers import prefect, start_together, temporal
from shared import steps
from shared.contract import Outcome
from shared.database import create_tables, transaction
from shared.fake import sized
from shared.roll_book import clear, fill
from shared.settings import settings
from shared.variants import OBJECTION
from tests.port.reference import NAMES, copied, emitted_name, port

pytestmark = pytest.mark.servers
SIZES = (1, 41, 0, 2)  # voters of each center
#: In these the caller assigns the stations before it sends the canvas.
ASSIGNED = {"chord_by_station", "chunks", "error_in_header", "group", "starmap"}

TEMPORAL = """
import json, sys
from temporalio.client import WorkflowFailureError
from reference_temporal import inputs, starter
ends = {}
for name, run_id in json.loads(sys.argv[1]).items():
    title = "".join(word.title() for word in name.split("_"))
    given = getattr(inputs, f"{title}Input")(run_id)
    started = starter.in_sync(getattr(starter, f"start_{name}")(given))
    try:
        ends[name] = ["value", starter.in_sync(starter.wait(started))]
    except WorkflowFailureError as failure:
        cause = failure.cause.cause
        ends[name] = ["error", cause.type, cause.message]
print(json.dumps(ends))
"""
PREFECT = """
import json, sys
from reference_prefect import flows
ends = {}
for name, run_id in json.loads(sys.argv[1]).items():
    try:
        ends[name] = ["value", getattr(flows, name)(run_id)]
    except Exception as error:
        ends[name] = ["error", type(error).__name__, str(error)]
print(json.dumps(ends))
"""


@pytest.fixture(scope="module")
def ended(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Reference, dict[str, dict[str, Outcome]]]]:
    """The truth, and of each engine the outcomes by variant."""
    path = tmp_path_factory.mktemp("reference")
    folder = copied(path)
    told: dict[str, dict[str, Outcome]] = {}
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        variables = {
            "DATABASE_URL": f"sqlite:///{path / 'voters.db'}",
            "ROLLS_DIR": str(path / "rolls"),
            "CELERY_PROFILE": "hardened",
            "PREFECT_HOME": str(path / "prefect"),
        }
        for server in stack.enter_context(start_together(temporal, prefect)):
            variables |= server.environment
        for name, value in variables.items():
            patch.setenv(name, value)
        settings.cache_clear()
        stack.callback(settings.cache_clear)
        create_tables()
        with transaction() as session:
            clear(session)
            fill(session, sized(SIZES))
        baseline.run_steps("baseline")
        truth = read_reference(baseline.rolls_of("baseline"))
        for engine in ("temporal", "prefect"):
            assert "todo" not in port(folder, engine)
        log = stack.enter_context((path / "worker.log").open("w"))
        worker = subprocess.Popen(
            [sys.executable, "-m", "reference_temporal.worker"],
            cwd=path, env=os.environ, stdout=log, stderr=log,
        )  # fmt: skip
        stack.callback(worker.wait)
        stack.callback(worker.terminate)
        for engine, script in (("temporal", TEMPORAL), ("prefect", PREFECT)):
            runs = {}
            for name in NAMES:
                run_id = runs[emitted_name(name)] = f"{name}-{engine}"
                steps.begin_run(run_id, name, engine)
                if name in ASSIGNED:
                    steps.assign_all(run_id)
                if name == "error_in_header":
                    steps.object_to(run_id, steps.list_stations(run_id)[0], OBJECTION)
            done = folder.run("-c", script, json.dumps(runs))
            assert done.code == 0, done.err
            ends = json.loads(done.out.splitlines()[-1])
            told[engine] = {name: _outcome(ends[emitted_name(name)]) for name in NAMES}
        yield truth, told


def _outcome(end: list[object]) -> Outcome:
    if end[0] == "error":
        return Outcome(error_type=str(end[1]), error_text=str(end[2]))
    return Outcome(total_pages=end[1] if isinstance(end[1], int) else None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_the_rolls_are_the_same(
    ended: tuple[Reference, dict[str, dict[str, Outcome]]], engine: str, name: str
) -> None:
    truth, told = ended
    verdict = verify_variant(name, engine, f"{name}-{engine}", told[engine][name], truth)
    assert not verdict.failures
    assert len(verdict.checks) >= 7
