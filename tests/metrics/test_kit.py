"""The kit on every engine: the same canvases, counted in the same words, and traced."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from comparisons.stage import ROOT
from offcanvas import metrics, reroute, tracing
from offcanvas.celery_app.settings import change_settings
from offcanvas.servers import prefect, redis, temporal
from offcanvas.servers.base import leashed, stop_process_group
from tests.metrics.jobs import COUNTED, app, canvases
from tests.metrics.scraping import counts, eventually, free_port, scrape, value
from tests.metrics.spans import assert_one_trace

pytestmark = pytest.mark.servers
TARGET = "tests.metrics.jobs:app"
TOTAL = sum(COUNTED.values())


@pytest.fixture(scope="module")
def results():
    """The app on a Redis of its own, here and in the processes that are started."""
    with redis() as server, pytest.MonkeyPatch.context() as patch:
        url = server.environment["CELERY_RESULT_BACKEND"]
        patch.setenv("JOBS_RESULTS", url)
        patch.setenv("JOBS_BROKER", server.environment["CELERY_BROKER_URL"])
        before = (app.conf.broker_url, app.conf.result_backend)
        change_settings(
            app, {"result_backend": url, "broker_url": server.environment["CELERY_BROKER_URL"]}
        )
        app._local.__dict__.pop("backend", None)
        yield
        change_settings(app, {"broker_url": before[0], "result_backend": before[1]})


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.setattr(metrics, "_meters", [])
    monkeypatch.setattr(metrics, "_watched", set())


@contextlib.contextmanager
def process(command, log: Path, **environment):
    with log.open("wb") as output:
        started = subprocess.Popen(
            leashed([sys.executable, "-m", *command]), cwd=ROOT,
            env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield started
    finally:
        stop_process_group(started)


@pytest.fixture
def spans(tmp_path, monkeypatch):
    """Where the processes that a test starts write their spans."""
    file = tmp_path / "spans"
    monkeypatch.setenv(tracing.VARIABLE, f"file:{file}")
    return file


def run_all():
    """All canvases to their ends."""
    begun = {name: canvas.apply_async() for name, canvas in canvases().items()}
    for name, result in begun.items():
        result.get(timeout=120, propagate=name not in {"fails", "dies"})


def of_jobs(samples, engine):
    return {key: n for key, n in counts(samples, engine).items() if ".jobs." in key[0]}


def all_counted(port, engine):
    # A worker counts a task when its result is there already.
    samples = eventually(port, lambda seen: sum(of_jobs(seen, engine).values()) >= TOTAL)
    assert of_jobs(samples, engine) == COUNTED
    for task in ("tests.metrics.jobs.double", "tests.metrics.jobs.total"):
        ended = COUNTED[task, "succeeded"]
        for family in ("task_run_seconds", "task_wait_seconds"):
            name = f"offcanvas_{family}_count"
            assert value(samples, name, engine=engine, task=task) == ended, name
    assert value(samples, "offcanvas_tasks_running", engine=engine) == 0
    return samples


def test_memory(results, fresh, spans):
    port = free_port()
    assert metrics.start(port) is not None
    with reroute(app, to="memory"):
        run_all()
        samples = all_counted(port, "memory")
        assert value(samples, "offcanvas_canvases_sent_total", engine="memory") == len(canvases())
        eventually(port, lambda seen: value(seen, "offcanvas_canvases_open", engine="memory") == 0)
    assert_one_trace("memory", spans)


def test_celery(results, spans, tmp_path):
    port = free_port()
    command = ["celery", "-A", TARGET, "worker", "--concurrency=2", "--loglevel=WARNING"]
    with process(command, tmp_path / "log", OFFCANVAS_METRICS_PORT=str(port)):
        run_all()
        all_counted(port, "celery")
        assert_one_trace("celery", spans)


def test_temporal(results, fresh, spans, tmp_path, monkeypatch):
    worker, caller = free_port(), free_port()
    with temporal() as server:
        monkeypatch.setenv("TEMPORAL_ADDRESS", server.url)
        command = ["offcanvas.engines.temporal", TARGET, "--processes", "2",
                   "--metrics-port", str(worker)]  # fmt: skip
        assert metrics.start(caller) is not None
        with process(command, tmp_path / "log"), reroute(app, to="temporal"):
            run_all()
            samples = all_counted(worker, "temporal")
            names = {name for name, _ in samples}
            assert "temporal_workflow_completed_total" in names
            for port in (worker, caller):
                seen = eventually(
                    port,
                    lambda seen: (
                        value(seen, "offcanvas_workers", engine="temporal") == 1
                        and value(seen, "offcanvas_canvases_open", engine="temporal") == 0
                        and value(
                            seen, "offcanvas_queue_depth", engine="temporal", queue="offcanvas"
                        )
                        == 0
                    ),
                )
            sent = value(seen, "offcanvas_canvases_sent_total", engine="temporal")
            assert sent == len(canvases())
            assert_one_trace("temporal", spans)


def test_prefect(results, fresh, spans, tmp_path, monkeypatch):
    worker, caller = free_port(), free_port()
    with prefect() as server:
        monkeypatch.setenv("PREFECT_API_URL", server.url)
        command = ["offcanvas.engines.prefect", TARGET, "--processes", "2",
                   "--metrics-port", str(worker)]  # fmt: skip
        assert metrics.start(caller) is not None
        with process(command, tmp_path / "log"):
            eventually(worker, lambda seen: value(seen, "offcanvas_workers", engine="prefect") == 1)
            with reroute(app, to="prefect"):
                run_all()
                all_counted(worker, "prefect")
                eventually(
                    caller,
                    lambda seen: (
                        value(seen, "offcanvas_workers", engine="prefect") == 1
                        and value(seen, "offcanvas_canvases_open", engine="prefect") == 0
                        and value(
                            seen, "offcanvas_queue_depth", engine="prefect", queue="offcanvas"
                        )
                        == 0
                    ),
                )
                assert_one_trace("prefect", spans)


def test_a_worker_whose_port_is_taken_works_all_the_same(results, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = ["celery", "-A", TARGET, "worker", "--concurrency=1", "--loglevel=WARNING"]
        log = tmp_path / "log"
        with process(command, log, OFFCANVAS_METRICS_PORT=str(port)):
            assert canvases()["chain"].apply_async().get(timeout=120) == 4
    lines = [line for line in log.read_text().splitlines() if "no metrics" in line]
    assert len(lines) == 1
    assert f"port {port} of 127.0.0.1 cannot be opened" in lines[0]
    assert "Traceback" not in log.read_text()


def test_a_result_backend_that_takes_nothing_is_told(results, fresh):
    port = free_port()
    assert metrics.start(port) is not None
    client = app.backend.client
    with reroute(app, to="memory"):
        eventually(port, lambda seen: value(seen, "offcanvas_up", engine="memory") == 1)
        assert value(scrape(port), "offcanvas_results_not_stored_total", engine="memory") == 0
        client.config_set("maxmemory", "1")
        try:
            eventually(
                port,
                lambda seen: (
                    (value(seen, "offcanvas_results_not_stored_total", engine="memory") or 0) > 0
                ),
            )
        finally:
            client.config_set("maxmemory", "0")
