"""A batch in a process of the pool: each member has an end of its own, whatever becomes of one."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest

from offcanvas.canvas.calls import TaskCall
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.processes import process
from offcanvas.engines.processes.batch import BatchRun
from offcanvas.engines.processes.board import now
from offcanvas.engines.processes.members import lose_members
from offcanvas.engines.processes.pool import process_pool
from tests.engines.apart import app, counted, dies_once, mixed
from tests.engines.files import lines

TARGET = "tests.engines.apart:app"


@pytest.fixture(autouse=True)
def _results():
    with private_results(app):
        yield


@asynccontextmanager
async def pool_of(count):
    async with process_pool(count, TARGET, {"result_backend": app.conf.result_backend}) as pool:
        yield pool


def raw_of(task, *args, **options):
    task_id = str(uuid.uuid4())
    signature = {
        "task": task.name,
        "args": list(args),
        "kwargs": {},
        "options": {"task_id": task_id, **options},
        "subtask_type": None,
        "immutable": False,
    }
    call = TaskCall(signature, task_id, task_id)
    entry = str(uuid.uuid5(uuid.NAMESPACE_URL, task_id))
    return {"call": call.to_json(), "strict": False, "entry": entry}


def batch(pool, raws, **given):
    calls = [TaskCall.from_json(raw["call"]) for raw in raws]
    return BatchRun(app, pool, calls, raws, work=process.run_task, **given)


def states(outcomes):
    return [outcome["state"] for outcome in outcomes]


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


async def test_a_member_that_takes_its_process_along_harms_no_other(tmp_path):
    what = ["a", "dies", "b", "leaves", "c"]
    async with pool_of(1) as pool:
        run = batch(pool, [raw_of(mixed, one) for one in what])
        outcomes = await run.run()
    assert states(outcomes) == ["SUCCESS", "FAILURE", "SUCCESS", "FAILURE", "SUCCESS"]
    assert [one["value"] for one in outcomes if one["state"] == "SUCCESS"] == ["a", "b", "c"]
    assert outcomes[1]["error"]["exc_message"] == ["Worker exited prematurely: signal 9 (SIGKILL)."]


async def test_a_limit_is_that_of_its_member():
    raws = [raw_of(mixed, "a"), raw_of(mixed, "endless", time_limit=0.3), raw_of(mixed, "b")]
    async with pool_of(1) as pool:
        outcomes = await batch(pool, raws).run()
    assert states(outcomes) == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert outcomes[1]["error"]["exc_type"] == "TimeLimitExceeded"


async def test_one_that_wants_to_run_again_goes_alone(tmp_path):
    raws = [raw_of(dies_once, str(tmp_path / name)) for name in "ab"]
    (tmp_path / "a").touch()
    async with pool_of(1) as pool:
        outcomes = await batch(pool, raws).run()
    assert [(one["state"], one.get("why")) for one in outcomes] == [
        ("SUCCESS", None),
        ("LEFT", "alone"),
    ]


async def test_what_has_not_begun_when_it_stops_is_left(tmp_path):
    path = str(tmp_path / "noted")
    raws = [raw_of(counted, number, path, None, 0.3) for number in range(4)]
    async with pool_of(1) as pool:
        run = batch(pool, raws)
        running = asyncio.create_task(run.run())
        await until(lambda: run.ended == 1 and "1" in lines(path))
        run.stop()
        assert states(await running) == ["SUCCESS", "SUCCESS", "LEFT", "LEFT"]
    assert lines(path) == ["0", "1"]


async def test_only_the_one_that_runs_is_terminated(tmp_path):
    path = str(tmp_path / "noted")
    raws = [raw_of(counted, number, path, None, 0.5) for number in range(3)]
    names = [raw["call"]["task_id"] for raw in raws]
    async with pool_of(1) as pool:
        run = batch(pool, raws)
        running = asyncio.create_task(run.run())
        await until(lambda: run.ended == 1 and "1" in lines(path))
        run.terminate([names[2]])
        run.terminate([names[1]])
        assert states(await running) == ["SUCCESS", "REVOKED", "SUCCESS"]
    assert lines(path) == ["0", "1", "2"]


async def test_time_is_up_after_the_member_that_has_taken_it(tmp_path):
    path = str(tmp_path / "noted")
    raws = [raw_of(counted, number, path, None, 0.2) for number in range(9)]
    async with pool_of(1) as pool:
        run = batch(pool, raws, target=0.3)
        outcomes = await run.run()
    assert states(outcomes)[0] == "SUCCESS"
    assert states(outcomes)[-1] == "LEFT"
    assert run.ran == states(outcomes).count("SUCCESS")


async def test_no_member_begins_without_leave(tmp_path):
    path = str(tmp_path / "noted")
    raws = [raw_of(counted, number, path) for number in range(3)]
    async with pool_of(1) as pool:
        assert states(await batch(pool, raws, until=now() - 1).run()) == ["LEFT"] * 3
        run = batch(pool, raws, until=now() + 600)
        assert states(await run.run()) == ["SUCCESS"] * 3
    assert lines(path) == ["0", "1", "2"]


@pytest.mark.parametrize("left", [True, False])
async def test_after_a_worker_was_lost_each_member_is_what_it_was(tmp_path, left):
    path = str(tmp_path / "noted")
    raws = [raw_of(counted, number, path, None, 0.2) for number in range(4)]
    async with pool_of(1) as pool:
        run = batch(pool, raws)
        running = asyncio.create_task(run.run())
        await until(lambda: run.ended == 1 and "1" in lines(path))
        if left:  # as by a worker that was frozen
            run.extend(now() - 1)
            await running
        else:
            pool.kill()
            running.cancel()
            await asyncio.wait({running})
        raw = {
            "calls": [one["call"] for one in raws],
            "entries": [one["entry"] for one in raws],
            "strict": False,
            "ended": 0,
            "why": "gone",
        }
        outcomes = await pool.do(lose_members, raw)
    if left:
        assert states(outcomes) == ["SUCCESS", "SUCCESS", "LEFT", "LEFT"]
    else:
        assert states(outcomes) == ["SUCCESS", "FAILURE", "LEFT", "LEFT"]
        assert outcomes[1]["error"]["exc_type"] == "WorkerLostError"
    assert lines(path) == ["0", "1"]
