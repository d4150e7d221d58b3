"""`python -m airflow_impl`, as a person uses it, on the server of this folder."""

import shutil
import time
from pathlib import Path

import pytest

from airflow_impl.names import DAGS
from comparisons.airflow_server import airflow as start_airflow
from shared import steps
from shared.database import transaction
from shared.models import Run
from shared.recovery import find_gaps
from tests.airflow_impl.test_bad_input import _run, _told
from tests.equivalence.stack import WITHIN, Stack

pytestmark = [pytest.mark.servers, pytest.mark.airflow]


def test_start_wait_and_health(stack: Stack) -> None:
    del stack  # its environment is what counts
    done = _run("airflow_impl", "start", "noop:3", "--run-id", "by-hand", "--wait")
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first == "run by-hand: airflow execution noop/by-hand"
    assert last == "total: 3"
    healthy = _run("airflow_impl", "health")
    assert (healthy.returncode, healthy.stderr) == (0, "")
    assert healthy.stdout.startswith("airflow: reachable, Airflow 3.")
    assert "stuck: none" in healthy.stdout


def test_a_run_id_that_is_taken_is_named(stack: Stack) -> None:
    stack.load("few")
    run_id = stack.run("chord_by_station")["airflow"].run_id
    said = _told(_run("airflow_impl", "start", "chain", "--run-id", run_id))
    assert f"run id {run_id!r} is taken by chord_by_station on airflow" in said


def test_a_sweep_makes_up_for_a_roll_that_is_gone(stack: Stack) -> None:
    stack.load("few")
    run_id = stack.run("chord_by_station")["airflow"].run_id
    station = steps.list_stations(run_id)[0]
    roll = steps.rolls_folder(run_id) / steps.roll_file_name(station)
    before = roll.read_bytes()
    roll.unlink()
    done = _run("airflow_impl", "sweep", "--once", "--older-than", "0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"re-queued 1 runs\n  {run_id}\n"
    deadline = time.monotonic() + WITHIN
    while not roll.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert roll.read_bytes() == before
    stack.clients["airflow"].wait(f"repair/{run_id}~1", WITHIN)
    assert find_gaps("airflow", 0.0) == []


@pytest.mark.long
def test_the_schedule_sweeps_by_itself(stack: Stack) -> None:
    """`SWEEP_EVERY` of the stack is a day; the schedule begins with the day that has passed."""
    stack.load("few")
    run_id = stack.run("starmap")["airflow"].run_id
    station = steps.list_stations(run_id)[0]
    roll = steps.rolls_folder(run_id) / steps.roll_file_name(station)
    roll.unlink()
    done = _run("airflow_impl", "sweep", "--older-than", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    deadline = time.monotonic() + WITHIN
    while not roll.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert roll.exists()


@pytest.mark.long
def test_a_dag_that_does_not_import_is_named_and_nothing_is_begun(
    airflow_program: Path, tmp_path: Path, sqlite_database: str
) -> None:
    del airflow_program  # it is there: that is what counts
    folder = tmp_path / "dags"
    shutil.copytree(DAGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "chain.py").write_text("# a DAG of Airflow\nimport nothing_of_that_name\n")
    changed = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}
    line = "a DAG does not import: chain.py: ModuleNotFoundError: No module named 'nothing_of_that"
    with start_airflow(postgresql=False, settings=changed) as server:
        there = {**server.environment, "DATABASE_URL": sqlite_database}
        for words in (("start", "chain", "--run-id", "never"), ("worker",)):
            assert line in _told(_run("airflow_impl", *words, **there))
    with transaction(read_only=True) as session:
        assert session.get(Run, "never") is None
