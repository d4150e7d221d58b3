"""The caller's side: waiting by id alone, spans, errors."""

import gc
import time

import psutil
import pytest
from celery import chain

from celery_impl.client import Client, _Execution
from celery_impl.tasks import assign_all, publish_summary
from offcanvas.servers import redis
from shared import steps
from shared.database import transaction
from shared.errors import UsageError
from shared.models import Run
from tests.celery_impl.places import Place, addresses

pytestmark = pytest.mark.servers


def test_spans_tell_what_ran_when_and_in_which_process(work: Place, eventually) -> None:
    before = time.time()
    _, execution, _ = work.run("chord_by_station")
    eventually(lambda: len(work.client.spans(execution)) == 4)
    spans = work.client.spans(execution)
    assert sorted((span.task, span.item) for span in spans) == [
        ("generate_roll", "A-1"),
        ("generate_roll", "A-2"),
        ("generate_roll", "B-1"),
        ("sum_pages", "*"),
    ]
    assert spans == sorted(spans, key=lambda span: span.started_at)
    for span in spans:
        assert before <= span.queued_at <= span.started_at < span.finished_at <= time.time()
        assert span.attempt == 1
    # Behind the leash the process we started is the worker's main process.
    pool = {str(child.pid) for child in psutil.Process(work.worker.pid).children(recursive=True)}
    assert {span.worker.rpartition("/")[2] for span in spans} <= pool
    assert spans[-1].task == "sum_pages"


def test_spans_of_a_loop_are_one_bar(work: Place, eventually) -> None:
    _, execution, _ = work.run("starmap")
    eventually(lambda: len(work.client.spans(execution)) == 2)
    assert [(span.task, span.item) for span in work.client.spans(execution)] == [
        ("starmap", "A-1..B-1"),
        ("sum_pages", "*"),
    ]


@pytest.mark.parametrize("variant", ["chain", "group", "error_in_header"])
def test_another_client_can_wait_by_the_id_alone(work: Place, variant: str) -> None:
    _, execution, outcome = work.run(variant)
    other = Client()
    assert other.wait(execution, 300) == outcome
    assert other.spans(execution) == []


def test_what_never_ends_is_a_timeout(work: Place) -> None:
    with pytest.raises(TimeoutError, match=r"has not ended in 0\.2 s"):
        work.client.wait("00000000-0000-0000-0000-000000000000", timeout=0.2)


def test_a_predecessor_that_expired_is_told(work: Place) -> None:
    steps.begin_run("expired", "assign_stations_in_parallel", "celery")  # lacks no rolls
    first = assign_all.si("expired").set(expires=0.000_001)
    result = chain(first, publish_summary.si("expired")).apply_async()
    work.client._executions[result.id] = _Execution(
        "expired", time.time(), is_group=False, before=(result.parent.id,)
    )
    outcome = work.client.wait(result.id, 300)
    assert (outcome.error_type, outcome.error_text) == ("TaskRevokedError", "expired")


@pytest.mark.parametrize(
    ("variant", "run_id", "says"),
    [
        ("chord", "r1", "no variant 'chord': choose one of all_in_one, "),
        ("noop:0", "r1", "workload 'noop:0'"),
        ("chain", "../r1", "run id '../r1'"),
    ],
)
def test_what_cannot_be_started_is_refused(
    work: Place, variant: str, run_id: str, says: str
) -> None:
    with pytest.raises(UsageError) as error:
        work.client.start(variant, run_id)
    assert str(error.value).startswith(says)


def test_health_knows_the_worker_and_what_is_stuck(work: Place, eventually) -> None:
    eventually(lambda: work.client.health().healthy)
    an_hour_ago = time.time() - 3_600
    with transaction() as session:
        session.add(Run(run_id="stuck", variant="chain", engine="celery", started_at=an_hour_ago))
    found = work.client.health()
    with transaction() as session:
        session.delete(session.get_one(Run, "stuck"))
    assert found.stuck == ("stuck",)
    assert (found.reachable, found.healthy, found.queued) == (True, False, 0)
    assert [name.startswith("voter-rolls-") for name in found.workers] == [True]


def test_a_result_that_outlives_client_and_server_is_let_go_in_silence(
    tmp_path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis() as server, addresses(tmp_path, server.environment):
        client = Client()
        client.start("noop:2", "outlived")
        result = assign_all.si("outlived").apply_async()
        client.close()
    del result
    gc.collect()
    assert "Connection to Redis lost" not in caplog.text
