"""Counting, watching, and a port that cannot be had."""

import logging
import socket
import subprocess
import sys
import threading
import time

import pytest

from shared import metrics
from shared.metrics.counting import Meter
from shared.metrics.sight import Sight, Waiting
from shared.metrics.vocabulary import FAILED, FAMILIES, LEFT, LOST, RETRIED, SUCCEEDED
from shared.metrics.watching import Watch
from tests.metrics.scraping import free_port, scrape, value


@pytest.fixture
def fresh(monkeypatch):
    """A process that has not been asked for metrics."""
    monkeypatch.setattr(metrics, "_meters", [])
    monkeypatch.setattr(metrics, "_watched", set())


def told(meter: Meter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(name, labels)


def test_counts_begin_with_zero():
    meter = Meter()
    meter.knows("celery", ["print"])
    for state in (SUCCEEDED, FAILED, LOST):
        labels = {"engine": "celery", "task": "print", "state": state}
        assert told(meter, "offcanvas_tasks_total", **labels) == 0
    assert told(meter, "offcanvas_task_retries_total", engine="celery", task="print") == 0
    assert told(meter, "offcanvas_tasks_running", engine="celery") == 0


def test_an_attempt_is_counted_once_however_often_its_end_is_told():
    meter = Meter()
    end = meter.begun("celery", "print", 1.5)
    assert told(meter, "offcanvas_tasks_running", engine="celery") == 1
    end(RETRIED)
    end(FAILED)
    both = {"engine": "celery", "task": "print"}
    assert told(meter, "offcanvas_tasks_running", engine="celery") == 0
    assert told(meter, "offcanvas_tasks_total", **both, state=RETRIED) == 1
    assert told(meter, "offcanvas_tasks_total", **both, state=FAILED) is None
    assert told(meter, "offcanvas_task_retries_total", **both) == 1
    assert told(meter, "offcanvas_task_wait_seconds_sum", **both) == 1.5
    assert told(meter, "offcanvas_task_run_seconds_count", **both) == 1


def test_what_did_not_begin_after_all_is_not_counted():
    meter = Meter()
    meter.knows("prefect", ["print"])
    meter.begun("prefect", "print", 1.0)(None)
    both = {"engine": "prefect", "task": "print"}
    assert told(meter, "offcanvas_tasks_running", engine="prefect") == 0
    assert told(meter, "offcanvas_task_wait_seconds_count", **both) is None
    assert told(meter, "offcanvas_tasks_total", **both, state=LEFT) == 0


def test_a_lost_process_counts_as_retry_only_if_the_task_comes_again():
    meter = Meter()
    meter.begun("temporal", "print")(LOST)
    meter.begun("temporal", "print")(LOST, again=True)
    both = {"engine": "temporal", "task": "print"}
    assert told(meter, "offcanvas_tasks_total", **both, state=LOST) == 2
    assert told(meter, "offcanvas_task_retries_total", **both) == 1


def test_every_family_has_a_name_of_its_own_and_says_what_it_is():
    names = [family.shown for family in FAMILIES]
    assert len(set(names)) == len(names) > 15
    assert all(family.labels[0] == "engine" and family.says for family in FAMILIES)


def samples_of(watch: Watch) -> dict[str, float]:
    return {s.name: s.value for family in watch.collect() for s in family.samples}


def test_a_watch_tells_what_was_seen_and_leaves_out_what_nobody_can_tell():
    sight = Sight({"q": Waiting(3, time.time() - 60)}, workers=2, canvases=Waiting(1))
    watch = Watch("celery", lambda: sight)
    watch._look_once()
    seen = samples_of(watch)
    assert seen["offcanvas_up"] == 1
    assert seen["offcanvas_queue_depth"] == 3
    assert 60 <= seen["offcanvas_queue_oldest_seconds"] < 120
    assert seen["offcanvas_workers"] == 2
    assert seen["offcanvas_canvases_open"] == 1
    assert "offcanvas_canvas_oldest_seconds" not in seen
    assert "offcanvas_runs_unfinished" not in seen


def test_a_look_that_fails_is_told_once_and_ages_go_on(caplog):
    looks = [Sight({"q": Waiting(1, time.time() - 5)})]

    def look():
        if looks:
            return looks.pop()
        raise ConnectionError("nobody\nis there")

    watch = Watch("celery", look)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            watch._look_once()
    assert [record.getMessage() for record in caplog.records] == [
        "metrics: celery could not be looked at: ConnectionError: nobody is there"
    ]
    seen = samples_of(watch)
    assert seen["offcanvas_up"] == 0
    assert seen["offcanvas_queue_oldest_seconds"] >= 5


def test_a_look_that_hangs_keeps_nobody_waiting():
    hangs = threading.Event()
    watch = Watch("celery", hangs.wait)  # type: ignore[arg-type]  # it never returns one
    watch.start()
    assert samples_of(watch) == {"offcanvas_up": 0.0}
    hangs.set()
    watch.stop()


def test_two_watches_of_an_engine_would_tell_everything_twice(fresh):
    port = free_port()
    assert metrics.start(port) is not None
    first = metrics.watch("celery", Sight)
    assert metrics.watch("celery", Sight) is None
    assert value(scrape(port), "offcanvas_up", engine="celery") is not None
    first.stop()
    assert value(scrape(port), "offcanvas_up", engine="celery") is None
    assert metrics.watch("celery", Sight) is not None


def test_without_metrics_nothing_is_watched(fresh):
    assert metrics.watch("celery", Sight) is None
    metrics.knows("celery", ["a"])
    assert metrics.meter() is None


def test_a_port_that_is_taken_is_one_line(fresh, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with caplog.at_level(logging.WARNING):
            assert metrics.start(port) is None
    assert [record.getMessage() for record in caplog.records] == [
        (
            f"no metrics: port {port} of 127.0.0.1 cannot be opened (Address already in use); "
            "name a free one"
        )
    ]
    assert metrics.meter() is None


def test_a_host_that_is_none_is_one_line(fresh, caplog):
    with caplog.at_level(logging.WARNING):
        assert metrics.start(free_port(), "no.such.host.invalid") is None
    (record,) = caplog.records
    assert record.getMessage().startswith("no metrics: port ")
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("package", ["shared", "offcanvas"])
def test_a_missing_library_is_one_line(package):
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        f"from {package} import metrics\n"
        "assert metrics.start(1) is None; print('the work goes on')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert ran.stdout == "the work goes on\n"
    assert ran.stderr == (
        "no metrics: prometheus_client is not installed: pip install 'offcanvas[metrics]'\n"
    )


def test_it_is_served_on_loopback_alone(fresh):
    port = free_port()
    metrics.start(port)
    with socket.socket() as other, pytest.raises(OSError, match="refused"):
        other.connect(("127.0.0.2", port))
    assert any(name == "process_cpu_seconds_total" for name, _ in scrape(port))
