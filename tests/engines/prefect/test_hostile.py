"""Flow runs started by hand, with whatever for parameters; runs killed, or meant elsewhere."""

import os
import subprocess
import sys

import pytest

from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.deployments import remove
from offcanvas.engines.prefect.job import TAG
from offcanvas.errors import EngineError
from tests.engines.apart import add, app
from tests.engines.private import leaves_no_process_when_killed, runs_on_a_private_server

pytestmark = pytest.mark.servers

PARAMETERS = {
    "another app": {"app": "tests.engines.hostile:app"},
    "a module that ends its process": {"app": "tests.engines.leaves_at_once:app"},
    "nothing": {"job": ""},
    "no canvas": {"job": "[1]"},
    "an unknown kind": {"job": '{"branch": {"node": {"kind": "shell"}}, "strict": 1, "tree": 1}'},
    "a plan that is not there": {"job": '{"stored": "nowhere"}'},
    "nested deeply": {"job": "[" * 100_000},
}


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_what_is_no_canvas_ends_its_flow_run_alone(calls, on_engine, parameters, trace):
    run = calls.client.create_flow_run_from_deployment(
        calls._deployment(), parameters={"job": "{}", **parameters}, tags=[TAG]
    )
    with pytest.raises(EngineError, match="was cut short"):
        calls.finish(run.id, 120)
    assert on_engine(add.s(1)).get() == 2
    assert not trace.exists()


def test_a_module_that_is_imported_leaves_a_trace(trace):
    subprocess.run([sys.executable, "-c", "import tests.engines.hostile"], check=True)
    assert trace.exists()
    trace.unlink()


#: A worker, and a flow run of it that leaves.
LEAVES = """
import sys

from offcanvas.engines.command_line import run
from offcanvas.engines.prefect import worker
from offcanvas.engines.prefect.__main__ import main

async def leaves(*_given, **_named):
    sys.exit()

worker.CanvasWorker.run = leaves
run(main)
"""


def test_a_worker_that_cannot_work_ends(calls, prefect_url):
    target = ["tests.engines.apart:app", "--deployment", "leaves"]
    settings = {"PREFECT_API_URL": prefect_url, "OFFCANVAS_RESULT_BACKEND": app.conf.result_backend}
    with (
        Caller(prefect_url, "leaves") as mine,
        subprocess.Popen(
            [sys.executable, "-c", LEAVES, *target],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as worker,
    ):
        assert "at work for canvas/leaves" in worker.stdout.readline()
        mine.start(app, prepare(app, add.s(1)).plan)
        try:
            assert worker.wait(120) == 2
        finally:
            worker.kill()
        last = worker.stderr.read().splitlines()[-1]
    remove(calls.client, "leaves")
    assert last == ("offcanvas: the worker has ended: something in it has called sys.exit()")


@pytest.mark.long
def test_a_private_server_is_reached_without_what_is_for_others(tmp_path):
    runs_on_a_private_server("prefect", tmp_path)


def test_a_run_that_is_killed_leaves_no_process(tmp_path):
    leaves_no_process_when_killed("prefect", tmp_path)
