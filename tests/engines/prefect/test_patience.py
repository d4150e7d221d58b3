"""A busy server is asked again soon at first, and with Prefect's own patience in the end."""

import asyncio

import anyio
import httpx
import pytest
from prefect.client import base
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from offcanvas.engines.prefect.patience import SETTINGS, WAITS, make_patient


class Busy:
    """Refuses a number of times; ``headers`` are those of a refusal."""

    def __init__(self, times, headers=None):
        self.left = times
        self.headers = headers or {}

    def __call__(self, request):
        if self.left:
            self.left -= 1
            return httpx.Response(503, headers=self.headers)
        return httpx.Response(200, json="3.8.8")


@pytest.fixture
def waited(monkeypatch):
    seconds = []

    async def sleep(given):
        seconds.append(given)

    monkeypatch.setattr(base.time, "sleep", seconds.append)
    monkeypatch.setattr(anyio, "sleep", sleep)
    return seconds


def ask(busy):
    transport = httpx.MockTransport(busy)
    settings = {**SETTINGS, "transport": transport}
    return SyncPrefectClient("http://127.0.0.1:1/api", httpx_settings=settings).api_version()


def test_a_refusal_or_two_cost_less_than_a_second(waited):
    assert ask(Busy(2)) == "3.8.8"
    assert len(waited) == 2
    assert all(least <= seconds < 2 * least for least, seconds in zip(WAITS, waited, strict=False))


def test_a_server_that_stays_busy_is_given_as_long_as_by_prefect_itself(waited):
    assert ask(Busy(len(WAITS))) == "3.8.8"
    assert sum(waited) > 30


def test_what_the_server_says_itself_is_heeded(waited):
    assert ask(Busy(1, {"Retry-After": "7"})) == "3.8.8"
    assert waited[0] >= 7


def test_a_client_that_prefect_has_made_becomes_patient(waited):
    async def ask_once():
        client = get_client(httpx_settings={"transport": httpx.MockTransport(Busy(1))})
        make_patient(client)
        return await client.api_version()

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        assert asyncio.run(ask_once()) == "3.8.8"
    assert waited[0] < 2 * WAITS[0]
