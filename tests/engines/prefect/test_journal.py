"""What a second run of a flow run makes of what the first has left; see ``prefect.process``."""

import uuid

import pytest
from celery.exceptions import Retry, WorkerLostError

from offcanvas.canvas.calls import TaskCall
from offcanvas.canvas.lift import lift
from offcanvas.canvas.lower import lower
from offcanvas.celery_app.private_results import private_results
from offcanvas.celery_app.values import to_wire
from offcanvas.engines.prefect import process
from offcanvas.engines.processes.pool import process_pool
from tests.engines.apart import add, app, hangs_once


@pytest.fixture
def again():
    """Runs a task in the state that is given, as a second run of its flow run does."""

    async def run(signature, state):
        task_id = str(uuid.uuid4())
        call = TaskCall(to_wire(lower(lift(signature))), task_id, task_id)
        raw = {"call": call.to_json(), "strict": False, "again": True, "entry": str(uuid.uuid4())}
        if state is not None:
            kept = Retry() if state == "RETRY" else {"done": 1}
            app.backend.store_result(task_id, kept, state)
        settings = {"result_backend": app.conf.result_backend}
        async with process_pool(1, "tests.engines.apart:app", settings) as pool:
            await pool.do(process.run_task, raw)
        return app.AsyncResult(task_id)

    with private_results(app):
        yield run


@pytest.mark.parametrize("state", ["STARTED", "PROGRESS"])
async def test_a_task_that_had_begun_is_lost(again, state):
    assert isinstance((await again(add.s(1), state)).result, WorkerLostError)


async def test_a_task_that_had_begun_runs_again_if_it_is_acknowledged_late(again, tmp_path):
    (tmp_path / "begun").touch()
    result = await again(hangs_once.s(str(tmp_path / "begun")), "PROGRESS")
    assert result.result == "survived"


@pytest.mark.parametrize("state", [None, "RETRY"])
async def test_a_task_that_had_not_begun_runs(again, state):
    assert (await again(add.s(1), state)).result == 2
