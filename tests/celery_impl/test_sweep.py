"""Recovery from the database, now and by beat."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from celery.result import AsyncResult

from celery_impl.app import app
from celery_impl.health import runs_in_hand
from celery_impl.sweep import run_sweep
from celery_impl.tasks import generate_roll
from celery_impl.workloads import fibonacci
from offcanvas.servers.base import leashed
from shared import steps
from shared.database import transaction
from shared.models import Summary
from tests.celery_impl.places import Place, attempts, printed

pytestmark = pytest.mark.servers


def summary(run_id: str) -> tuple[int, bool] | None:
    with transaction(read_only=True) as session:
        row = session.get(Summary, run_id)
        return None if row is None else (row.total_pages, row.published)


@pytest.mark.parametrize("assigned", [True, False])
def test_a_caller_that_died_before_it_sent_is_made_up_for(
    work: Place, assigned: bool, eventually
) -> None:
    run_id = f"died-{assigned}"
    steps.begin_run(run_id, "chain", "celery")
    if assigned:
        steps.assign_all(run_id)
    assert run_id in run_sweep(0.0, True)
    eventually(lambda: summary(run_id) == (15, True))
    assert sorted(printed(run_id)) == ["A-1.pdf", "A-2.pdf", "B-1.pdf"]
    assert run_id not in run_sweep(0.0, True)


def test_a_caller_that_died_in_the_middle_of_its_chord_is_made_up_for(
    work: Place, eventually
) -> None:
    steps.begin_run("in-the-middle", "chord_by_station", "celery")
    steps.assign_all("in-the-middle")
    generate_roll.si("in-the-middle", "A-1").apply_async()
    eventually(lambda: attempts("in-the-middle", steps.GENERATE))
    eventually(lambda: "in-the-middle" in run_sweep(0.0, True))  # once its task has ended, too
    eventually(lambda: summary("in-the-middle") == (15, False))
    assert len(attempts("in-the-middle", steps.GENERATE)) == 3


def test_a_chord_whose_counter_is_gone_gets_its_sum(work: Place, eventually) -> None:
    backend = app.backend
    family = psutil.Process(work.worker.pid)
    family.suspend()  # takes no message, and its processes wait for one
    try:
        execution = work.client.start("chord_by_station", "uncounted")
        known = list(backend.client.scan_iter(match=backend.get_key_for_group("*", "*")))
        assert known
        backend.client.delete(*known)
    finally:
        family.resume()
    eventually(lambda: len(printed("uncounted")) == 3)
    eventually(lambda: "uncounted" not in runs_in_hand(app))
    assert summary("uncounted") is None
    eventually(lambda: "uncounted" in run_sweep(0.0, True))
    eventually(lambda: summary("uncounted") == (15, False))
    assert AsyncResult(execution, app=app).state == "PENDING"  # the caller is not told


def test_a_run_that_a_worker_has_in_hand_is_let_alone(work: Place, eventually) -> None:
    steps.begin_run("in-hand", "chord_by_station", "celery")
    endless = fibonacci.delay(0, run_id="in-hand", index=0, n=500)
    eventually(lambda: "in-hand" in runs_in_hand(app))
    try:
        assert "in-hand" not in run_sweep(0.0, True)
    finally:
        endless.revoke(terminate=True, signal="SIGKILL")
    eventually(lambda: "in-hand" in run_sweep(0.0, True))
    eventually(lambda: summary("in-hand") == (15, False))


def test_only_what_is_missing_is_printed_again(work: Place, eventually) -> None:
    run_id, _, outcome = work.run("chord_by_station")
    lost = steps.rolls_folder(run_id) / "A-2.pdf"
    before = lost.read_bytes()
    lost.unlink()
    eventually(lambda: run_id in run_sweep(0.0, True))  # once its last task has ended, too
    eventually(lost.is_file)
    eventually(lambda: len(attempts(run_id, steps.GENERATE)) == 4)
    assert lost.read_bytes() == before
    assert summary(run_id) == (outcome.total_pages, False)


def test_beat_sweeps_from_a_process_of_its_own(work: Place, tmp_path: Path, eventually) -> None:
    steps.begin_run("by-beat", "chord_by_station", "celery")
    beat = subprocess.Popen(
        leashed([sys.executable, "-m", "celery_impl", "sweep", "--older-than", "1"]),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    try:
        eventually(lambda: summary("by-beat") == (15, False))
        assert [path.name[:12] for path in tmp_path.iterdir()] == ["celery-beat-"]
        beat.terminate()
        assert beat.wait(120) == 0
        assert list(tmp_path.iterdir()) == []
    finally:
        beat.kill()
        beat.wait()
