"""What a flow run asks the server for."""

import uuid

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort

from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.prefect.flow import _Inbox, start_elsewhere
from offcanvas.engines.prefect.job import TAG, Job
from offcanvas.engines.prefect.reading import Reading
from offcanvas.engines.prefect.worker import Nowhere
from offcanvas.servers.base import free_port
from tests.engines.apart import add, app


class Driver:
    """Nothing is at work."""


async def test_a_server_that_does_not_answer_is_asked_again_later():
    async with PrefectClient(f"http://127.0.0.1:{free_port()}/api") as client:
        inbox = _Inbox(client, uuid.uuid4(), Reading())
        inbox.driver = Driver()
        await inbox.look()
        assert not inbox.cancelled


@pytest.mark.servers
async def test_a_second_run_starts_a_tree_no_second_time(calls, prefect_url):
    begun = calls.start(app, prepare(app, add.s(1)).plan)
    job = Job(Branch(prepare(app, add.s(1)).plan), tree=str(begun))
    async with PrefectClient(prefect_url) as client:
        run = await client.read_flow_run(begun)
        for _ in range(2):
            await start_elsewhere(client, run, job.to_text(app), job)
        tags = FlowRunFilterTags(all_=[f"{TAG}:{begun}"])
        found = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=tags),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=10,
        )
    assert len(found) == 1
    assert calls.finish(begun, 60)


@pytest.mark.servers
async def test_a_worker_asks_for_its_flow_and_deployment_once(calls, prefect_url):
    begun = calls.start(app, prepare(app, add.s(1)).plan)
    assert calls.finish(begun, 60)
    asked = []

    async def note(request):
        asked.append(request.url.path)

    async with PrefectClient(
        prefect_url, httpx_settings={"event_hooks": {"request": [note]}}
    ) as client:
        run = await client.read_flow_run(begun)
        pool = await client.read_work_pool(run.work_pool_name)
        asked.clear()
        made = [
            await Nowhere.resolve_for_flow_run(
                run, client=client, work_pool=pool, worker_name="me", worker_id=None
            )
            for _ in range(2)
        ]
    assert asked == [f"/api/flows/{run.flow_id}", f"/api/deployments/{run.deployment_id}"]
    for one in made:
        assert {found.role for found in one._related_resources()} >= {"flow", "deployment"}
