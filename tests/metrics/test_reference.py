"""The reference's workers and watches tell the same of the same work, by real scrapes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparisons.compare import load_client
from comparisons.stage import ROOT, Worker
from offcanvas.servers import prefect, redis, start_together, temporal
from offcanvas.servers.base import leashed
from shared.database import create_tables, transaction
from shared.fake import sized
from shared.roll_book import fill
from shared.settings import settings
from tests.metrics.scraping import counts, eventually, free_port, scrape, value

pytestmark = pytest.mark.servers
ENGINES = ("celery", "prefect", "temporal")
SIZES = (7, 20, 41)
QUEUES = {"celery": "voter-rolls", "prefect": "voter-rolls", "temporal": "voter-rolls"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Servers, and for each engine a client, a worker with a port and a watch with one."""
    folder: Path = tmp_path_factory.mktemp("metrics")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        servers = stack.enter_context(start_together(redis, prefect, temporal))
        variables = {
            "DATABASE_URL": f"sqlite:///{folder / 'voters.db'}",
            "ROLLS_DIR": str(folder / "rolls"),
            "SWEEP_EVERY": "5",
            "WATCH_EVERY": "0.5",
        }
        for server in servers:
            variables |= server.environment
        for name, given in variables.items():
            patch.setenv(name, given)
        settings.cache_clear()
        stack.callback(settings.cache_clear)
        create_tables()
        with transaction() as session:
            fill(session, sized(SIZES))
        found = SimpleNamespace(clients={}, workers={}, processes={}, watches={})
        for engine in ENGINES:
            client = found.clients[engine] = load_client(engine)
            stack.callback(client.close)
            port = found.workers[engine] = free_port()
            patch.setenv("METRICS_PORT", str(port))
            worker = found.processes[engine] = Worker.start(
                engine, client.worker_command(2), folder
            )
            stack.callback(worker.stop)
        patch.delenv("METRICS_PORT")
        for engine in ENGINES:
            found.clients[engine].wait_for_worker(300)
            port = found.watches[engine] = free_port()
            watch = subprocess.Popen(
                leashed([
                    sys.executable, "-m", f"{engine}_impl", "watch", "--port", str(port)
                ]),
                cwd=ROOT, env=dict(os.environ),
            )  # fmt: skip
            stack.callback(watch.wait)
            stack.callback(watch.terminate)
        yield found


def did(samples: dict, engine: str) -> dict:
    """Steps of the run alone: the engines list and look by steps of their own."""
    steps = {"generate_roll", "sum_pages"}
    return {key: count for key, count in counts(samples, engine).items() if key[0] in steps}


def test_the_same_work_is_told_in_the_same_words(stack: SimpleNamespace) -> None:
    told = {}
    for engine, client in stack.clients.items():
        execution = client.start("chord_by_station", f"metrics-{engine}")
        assert client.wait(execution, 300).error_type is None
        samples = eventually(
            stack.workers[engine],
            lambda seen, engine=engine: ("sum_pages", "succeeded") in did(seen, engine),
        )
        told[engine] = did(samples, engine)
        for step, times in (("generate_roll", len(SIZES)), ("sum_pages", 1)):
            for family in ("task_run_seconds", "task_wait_seconds"):
                name = f"offcanvas_{family}_count"
                assert value(samples, name, engine=engine, task=step) == times, (engine, name)
    wanted = {("generate_roll", "succeeded"): float(len(SIZES)), ("sum_pages", "succeeded"): 1.0}
    assert told == dict.fromkeys(ENGINES, wanted)


def test_watches_tell_of_queues_workers_and_the_database(stack: SimpleNamespace) -> None:
    for engine, port in stack.watches.items():
        queue = QUEUES[engine]
        # On Prefect a sweep that is due waits in the queue now and then.
        samples = eventually(
            port,
            lambda seen, engine=engine, queue=queue: (
                value(seen, "offcanvas_up", engine=engine) == 1
                and value(seen, "offcanvas_workers", engine=engine) == 1
                and value(seen, "offcanvas_canvases_open", engine=engine) == 0
                and value(seen, "offcanvas_queue_depth", engine=engine, queue=queue) == 0
            ),
        )
        assert value(samples, "offcanvas_queue_oldest_seconds", engine=engine, queue=queue) == 0
        assert value(samples, "offcanvas_runs_unfinished", engine=engine) == 0
        assert value(samples, "offcanvas_recovery_unsent", engine=engine) == 0
        assert value(samples, "offcanvas_limit_seconds", engine=engine, of="work") == 20


def test_a_worker_tells_when_it_swept_and_temporal_what_its_sdk_measures(
    stack: SimpleNamespace,
) -> None:
    before = value(
        scrape(stack.workers["prefect"]),
        "offcanvas_schedule_seen_timestamp_seconds", engine="prefect", schedule="sweep",
    )  # fmt: skip
    assert before is not None
    eventually(
        stack.workers["prefect"],
        lambda seen: (
            value(
                seen, "offcanvas_schedule_seen_timestamp_seconds",
                engine="prefect", schedule="sweep",
            ) > before
        ),
    )  # fmt: skip
    names = {name for name, _ in scrape(stack.workers["temporal"])}
    assert "temporal_activity_schedule_to_start_latency_bucket" in names
    assert "temporal_worker_task_slots_used" in names


def test_work_that_nobody_serves_grows_old_while_the_watch_looks_on(
    stack: SimpleNamespace,
) -> None:
    for engine in ENGINES:
        stack.processes[engine].process.send_signal(signal.SIGKILL)
    for engine in ENGINES:
        stack.processes[engine].stop()
        stack.clients[engine].start("chord_by_station", f"unserved-{engine}")
    for engine, port in stack.watches.items():
        queue = QUEUES[engine]
        samples = eventually(
            port,
            lambda seen, engine=engine, queue=queue: (
                value(seen, "offcanvas_workers", engine=engine) == 0
                and (value(seen, "offcanvas_queue_depth", engine=engine, queue=queue) or 0) > 0
                and (
                    value(seen, "offcanvas_queue_oldest_seconds", engine=engine, queue=queue) or 0
                ) > 1
                and (value(seen, "offcanvas_recovery_unsent", engine=engine) or 0) == 1
            ),
        )  # fmt: skip
        assert value(samples, "offcanvas_runs_unfinished", engine=engine) == 1
        assert value(samples, "offcanvas_run_unfinished_oldest_seconds", engine=engine) > 1
        opened = value(samples, "offcanvas_canvases_open", engine=engine)
        # A flow run that nobody has taken is in the queue, and not begun; a sweep that was killed
        # with its worker stays Running.
        assert opened in ((0, 1) if engine == "prefect" else (1,)), engine


def test_watch_wants_a_port() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "celery_impl", "watch"],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr == (
        "python -m celery_impl: --port (or METRICS_PORT) has to say where Prometheus is to ask\n"
    )


def test_watch_on_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = subprocess.run(
            [sys.executable, "-m", "celery_impl", "watch", "--port", str(port)],
            check=False, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        f"no metrics: port {port} of 127.0.0.1 cannot be opened (Address already in use); "
        "name a free one\n"
    )
