"""What a worker asks the server of the flow runs that it has in hand."""

import asyncio
import uuid

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from offcanvas.engines.prefect.client import as_input
from offcanvas.engines.prefect.job import REVOKE, TOLD
from offcanvas.engines.prefect.reading import Reading, tell
from offcanvas.servers.base import free_port

pytestmark = pytest.mark.servers


@flow
def nothing():
    """Never run: its flow runs are only read."""


@pytest.fixture
def ask(prefect_url):
    """Calls a coroutine function with a client and the paths of its requests."""

    async def asked(question):
        paths = []

        async def note(request):
            paths.append(request.url.path)

        settings = {"event_hooks": {"request": [note]}}
        async with PrefectClient(prefect_url, httpx_settings=settings) as client:
            return await question(client, paths)

    return lambda question: asyncio.run(asked(question))


async def made(client, count):
    return [(await client.create_flow_run(nothing)).id for _ in range(count)]


def test_all_that_ask_in_one_moment_make_one_request(ask):
    async def question(client, paths):
        ids, reading = await made(client, 5), Reading()
        del paths[:]
        found = await asyncio.gather(*(reading.read(client, one) for one in [*ids, ids[0]]))
        assert [run.id for run in found] == [*ids, ids[0]]
        return paths

    assert [path.rpartition("/api")[2] for path in ask(question)] == ["/flow_runs/filter"]


def test_a_flow_run_that_is_gone_is_nobody_elses_business(ask):
    async def question(client, _paths):
        (there,), reading = await made(client, 1), Reading()
        return there, await asyncio.gather(
            reading.read(client, there), reading.read(client, uuid.uuid4()), return_exceptions=True
        )

    there, (found, gone) = ask(question)
    assert found.id == there
    assert isinstance(gone, ObjectNotFound)


def test_one_that_gives_up_takes_no_other_along(ask):
    async def question(client, _paths):
        (there,), reading = await made(client, 1), Reading()
        first = asyncio.create_task(reading.read(client, there))
        second = asyncio.create_task(reading.read(client, there))
        await asyncio.sleep(0)
        first.cancel()
        return there, await second

    there, found = ask(question)
    assert found.id == there


def test_a_server_that_is_away_is_told_to_all():
    async def question():
        reading = Reading()
        async with PrefectClient(f"http://127.0.0.1:{free_port()}/api") as client:
            ids = [uuid.uuid4(), uuid.uuid4()]
            return await asyncio.gather(
                *(reading.read(client, one) for one in ids), return_exceptions=True
            )

    assert all(isinstance(error, httpx.HTTPError) for error in asyncio.run(question()))


def test_a_flow_run_that_is_told_has_the_tag_by_which_it_knows(ask):
    async def question(client, _paths):
        (there,) = await made(client, 1)
        for _ in range(2):
            await tell(client, there, {"ids": ["one"], "terminate": False})
        await tell(client, uuid.uuid4(), {"ids": ["one"], "terminate": False})
        run = await client.read_flow_run(there)
        return run.tags, await client.filter_flow_run_input(there, REVOKE, 10, set())

    tags, messages = ask(question)
    assert (tags, len(messages)) == ([TOLD], 2)
    assert as_input({})[0].startswith(REVOKE)


def test_revoking_in_a_flow_run_that_is_gone_is_no_error(calls):
    calls.revoke(["one"], flow_runs=[uuid.uuid4()])
    assert calls.find("one") == []
