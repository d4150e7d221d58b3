"""``reroute(app, to="prefect")``: code that does not change, on Prefect."""

import pytest
from celery import chord

from offcanvas.engines.base import Submission
from offcanvas.engines.prefect import run as engine
from offcanvas.engines.prefect.run import PrefectEngine
from offcanvas.errors import BadTarget, EngineUnavailable
from offcanvas.reroute import reroute
from offcanvas.run import run
from tests.engines.apart import add, app, starts, total
from tests.engines.canvases import Rerouted, get

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


def test_run_brings_a_worker_of_its_own(prefect_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    assert run(chord([add.s(1), add.s(2)], total.s()), on="prefect", timeout=300).get() == 5


def test_without_an_address_everything_is_brought_along(calls, tmp_path, prefect_url, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    # A second server would take another ten seconds to start.
    monkeypatch.setattr(engine, "prefect", lambda: _Running(prefect_url))
    path = tmp_path / "written"
    with reroute(app, to="prefect"):
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
        ("127.0.0.1:4200", r"is no address; use http://host:4200/api$"),
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
    monkeypatch.setattr("offcanvas.engines.prefect.client.installed", "3.9.0")
    with pytest.raises(EngineUnavailable, match=r"has version 3\.8\.\d+, the library here 3\.9\.0"):
        run(add.s(1), on="prefect")


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
        PrefectEngine().run(Submission(local, one.s()))
