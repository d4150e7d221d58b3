"""The second example on a real Prefect server, against a real Celery worker: the same ledgers."""

import os
import subprocess
import sys

import pytest

from tests.port.both_sides import Case, Run, in_celery, in_prefect, prefect_settings
from tests.port.project import Folder
from tests.port.test_depot_prefect import TARGETS

pytestmark = [pytest.mark.servers, pytest.mark.long]

CASES: list[Case] = [
    ("weights", {"parcels": [1, 2, 7]}),
    ("weights", {"parcels": [1, 8, 3]}),
    ("weights", {"parcels": list(range(10, 125))}),  # wider than the window
    ("labels", {"depot": "d", "prefix": "B"}),
    ("sums", {"pairs": [[1, 2], [3, 4], [5, 6]]}),
    ("nested", {"depot": "d"}),
    ("choice", {"parcel": 3, "heavy": True}),
    ("choice", {"parcel": 3, "heavy": False}),
    ("linked", {"parcel": 1}),
    ("linked", {"parcel": 8}),
    ("pressed", {"parcels": [4, 5]}),
]


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.of_example("depot", tmp_path_factory.mktemp("running"))
    ended = folder.port(*TARGETS, "--to", "prefect")
    assert (ended.code, ended.err) == (1, "")
    return folder


def test_flows_call_what_the_canvases_called(
    ported: Folder, redis_url: str, prefect_url: str
) -> None:
    wanted = in_celery(ported, "depot", redis_url, CASES)
    found = in_prefect(ported, "depot", prefect_url, CASES)
    assert [_comparable(run) for run in found] == [_comparable(run) for run in wanted]
    assert all(run.calls for run in wanted)


def _comparable(run: Run) -> tuple[object, object]:
    """A failure's class and text are the engine's: Celery tells a ChordError."""
    return (run.end if run.end[0] == "returned" else "failed", run.calls)


STARTS = """
import asyncio, time
from prefect.exceptions import ObjectNotFound
from depot_prefect import starter

for _ in range(600):
    try:
        first = starter.start_choice(3, False, key="once")
        break
    except ObjectNotFound:  # the worker registers the flows
        time.sleep(0.2)
again = starter.start_choice(3, False, key="once")
print(starter.wait(first), starter.state(first), again == first)
second = asyncio.run(starter.astart_choice(4, heavy=False))
print(asyncio.run(starter.await_(second)))
try:
    starter.wait(starter.start_weights([8]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_the_worker_executes_what_the_starter_starts(ported: Folder, prefect_url: str) -> None:
    settings = prefect_settings(ported, prefect_url)
    with (ported.path / "worker.log").open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "depot_prefect.worker"],
            cwd=ported.path,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            ended = ported.run("-c", STARTS, **settings)
        finally:
            worker.terminate()
            worker.wait()
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == ["4 Completed True", "5", "Gone scales removed"]
