"""``reroute(app, to="prefect")``: code that does not change, on Prefect."""

import time

import psutil
import pytest
from celery import chord

from offcanvas._reroute import reroute
from offcanvas._run import run
from offcanvas.celery_app.planning import Submission
from offcanvas.engines.prefect import client, private_worker
from offcanvas.engines.prefect.engine import PrefectEngine
from offcanvas.errors import BadTarget, EngineUnavailable
from offcanvas.testing.suite import Rerouted, get
from prefect_impl import connection
from tests.engines.apart import add, app, starts, total, who_runs

pytestmark = pytest.mark.servers


@pytest.fixture
def rerouted(calls, prefect_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    monkeypatch.setenv("OFFCANVAS_DEPLOYMENT", calls.deployment)
    with reroute(app, to="prefect") as rerouting:
        yield rerouting


class TestOnPrefect(Rerouted):
    """See `Rerouted`."""


def test_a_large_plan_goes_through_the_result_backend(rerouted):
    assert get(chord([add.s(0, 0)] * 400, total.s()).delay()) == 0


def test_a_flow_run_in_hand_has_no_thread_of_its_own(rerouted):
    """Prefect's engine has one for each flow run of a deployment, with a stream of events."""
    (worker,) = [
        child
        for child in psutil.Process().children(recursive=True)
        if "--announce" in child.cmdline()
    ]
    results = [who_runs.delay(0.3) for _ in range(40)]
    most = 0
    while not all(result.ready() for result in results):
        most = max(most, worker.num_threads())
        time.sleep(0.05)
    assert most < len(results)


def test_run_brings_a_worker_of_its_own(prefect_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    assert run(chord([add.s(1), add.s(2)], total.s()), on="prefect", timeout=300).get() == 5


def test_without_an_address_everything_is_brought_along(calls, tmp_path, prefect_url, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    # A second server would take another ten seconds to start.
    monkeypatch.setattr(private_worker, "prefect", lambda: _Running(prefect_url))
    path = tmp_path / "written"
    with reroute(app, to="prefect", private=True):
        starts.delay(str(path))
    # Closing waits for what tasks have started in turn.
    assert path.read_text() == "3\n"


class _Running:
    """Stands in for the server that would be started."""

    def __init__(self, url):
        self.url, self.environment = url, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """It is somebody else's."""


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1/api", r"^no Prefect server answers at http://127\.0\.0\.1:1/api"),
        ("127.0.0.1:4200", r"is not an address; use http://host:4200/api$"),
    ],
)
def test_a_server_that_is_not_there_is_named(monkeypatch, url, told):
    monkeypatch.setenv("PREFECT_API_URL", url)
    with pytest.raises(EngineUnavailable, match=told) as raised:
        run(add.s(1), on="prefect")
    assert "\n" not in str(raised.value)


def test_an_address_that_is_not_the_api_is_named(prefect_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", f"{prefect_url}/nowhere")
    with pytest.raises(EngineUnavailable, match="answered 404 Not Found"):
        run(add.s(1), on="prefect")


def test_a_server_of_another_version_is_refused(prefect_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    monkeypatch.setattr("offcanvas.engines.prefect.client.installed", "3.99.0")
    said = r"has version '3\.\d+\.\d+', the library here '3\.99\.0': update the server"
    with pytest.raises(EngineUnavailable, match=said):
        run(add.s(1), on="prefect")


@pytest.mark.parametrize("can_serve", [client.can_serve, connection.can_serve])
@pytest.mark.parametrize(
    ("server", "library", "fits"),
    [
        ("3.9.1", "3.9.1", True),
        ("3.9.0", "3.9.1", True),
        ("3.10.0", "3.9.1", True),
        ("3.9.2rc1", "3.9.1", True),
        ("3.9.1+5.g1a2b3c", "3.9.1", True),
        ("3.8.8", "3.9.1", False),
        ("3.9.1", "3.10.0", False),
        ("2.20.4", "3.9.1", False),
        ("4.0.0", "3.9.1", False),
        ("0.8.4", "3.9.1", False),
        ("<html>", "3.9.1", False),
        ("", "3.9.1", False),
    ],
)
def test_the_kit_and_the_reference_take_the_same_servers(can_serve, server, library, fits):
    assert can_serve(server, library) is fits


def test_a_deployment_that_is_not_there_is_named(prefect_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    monkeypatch.setenv("OFFCANVAS_DEPLOYMENT", "nobody")
    with (
        reroute(app, to="prefect"),
        pytest.raises(EngineUnavailable, match="has no deployment canvas/nobody; start a worker"),
    ):
        add.delay(1)


def test_an_app_that_no_process_can_import_is_named(prefect_url, monkeypatch):
    from celery import Celery

    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    local = Celery("local", set_as_current=False)

    @local.task
    def one():
        """Never run."""

    with pytest.raises(BadTarget, match="cannot import the app local"):
        PrefectEngine().run(PrefectEngine().plan(Submission(local, one.s())))
