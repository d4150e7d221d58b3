"""The four commands over an engine: what they print and how they exit."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from shared.cli import run
from shared.contract import Health, Outcome, TaskSpan
from shared.engine_cli import make_app
from shared.metrics.sight import Sight
from shared.variants import named

ROOT = Path(__file__).resolve().parents[2]
ANY = {
    "DATABASE_URL": "sqlite:////nowhere/voters.db",
    "CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1",
    "PREFECT_API_URL": "http://127.0.0.1:1/api", "TEMPORAL_ADDRESS": "127.0.0.1:1",
}  # fmt: skip
WAITS_IN_AN_IMPORT = """
import sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{engine}_impl.worker":
            print("importing", flush=True)
            time.sleep(60)

sys.meta_path.insert(0, Finder())
"""


class Scripted:
    """An engine of which only the answers matter."""

    name = "scripted"

    def __init__(self, outcome: Outcome | None = None, workers: Sequence[str] = ()) -> None:
        self.outcome, self.workers, self.closed = outcome, workers, False

    def worker_command(self, concurrency: int) -> list[str]:
        return ["worker", str(concurrency)]

    def wait_for_worker(self, timeout: float) -> None: ...

    def start(self, variant: str, run_id: str) -> str:
        if ":" not in variant:
            named(variant)
        return f"execution-of-{run_id}"

    def wait(self, execution_id: str, timeout: float) -> Outcome:
        if self.outcome is None:
            raise TimeoutError
        return self.outcome

    def spans(self, execution_id: str) -> list[TaskSpan]:
        return []

    def health(self) -> Health:
        return Health(self.name, reachable=True, detail="at home", workers=self.workers, queued=3)

    def close(self) -> None:
        self.closed = True


def call(client: Scripted, *args: str) -> int:
    app = make_app(
        "Try.",
        lambda: client,
        lambda concurrency: print(f"works on {concurrency}"),  # noqa: T201 - seen by the test
        lambda older_than, once: [f"older than {older_than:g}"] if once else [],
        lambda: nullcontext(("scripted", Sight)),
    )
    with pytest.raises(SystemExit) as stop:
        run(app, "try", list(args))
    return int(str(stop.value.code))


def test_start_names_run_and_execution_and_closes(capsys: pytest.CaptureFixture[str]) -> None:
    client = Scripted()
    assert call(client, "start", "chain", "--run-id", "r1") == 0
    assert capsys.readouterr().out == "run r1: scripted execution execution-of-r1\n"
    assert client.closed


def test_a_run_without_a_name_gets_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(Scripted(), "start", "noop:5") == 0
    assert capsys.readouterr().out.startswith("run noop-5-")


@pytest.mark.parametrize(
    ("outcome", "code", "says"),
    [
        (Outcome(total_pages=0), 0, "total: 0\n"),
        (Outcome(), 0, "handed over\n"),
        (Outcome(error_type="Objection", error_text="no"), 1, "Objection: no\n"),
        (None, 1, "not finished after 5 s"),
    ],
)
def test_wait_tells_the_outcome(
    outcome: Outcome | None, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("start", "chain", "--run-id", "r", "--wait", "--timeout", "5")
    assert call(Scripted(outcome), *args) == code
    assert says in "".join(capsys.readouterr())


def test_an_unknown_variant_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(Scripted(), "start", "chord") == 2
    err = capsys.readouterr().err
    assert err.startswith("try: no variant 'chord': choose one of all_in_one,")
    assert err.count("\n") == 1


def test_worker_takes_its_concurrency_from_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCURRENCY", "7")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/voters.db")
    assert call(Scripted(), "worker") == 0
    assert call(Scripted(), "worker", "--concurrency", "3") == 0
    assert capsys.readouterr().out == "works on 7\nworks on 3\n"


def test_worker_refuses_a_concurrency_of_nothing() -> None:
    assert call(Scripted(), "worker", "--concurrency", "0") == 2


@pytest.mark.parametrize("url", ["", "mysql://x/y", "sqlite://"])
def test_a_worker_without_a_database_to_use_is_one_line(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert call(Scripted(), "worker") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("try: DATABASE_URL")
    assert err.count("\n") == 1


def test_sweep_once_lists_what_it_requeued(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(Scripted(), "sweep", "--once", "--older-than", "5") == 0
    assert capsys.readouterr().out == "re-queued 1 runs\n  older than 5\n"


def test_health_is_exit_1_without_a_worker(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(Scripted(), "health") == 1
    assert call(Scripted(workers=["w@1"]), "health") == 0
    out = capsys.readouterr().out
    assert "workers: NONE\nqueued: 3, running: unknown\nstuck: none\n" in out


@pytest.mark.parametrize("engine", ["airflow", "celery", "prefect", "temporal"])
def test_sigterm_before_the_worker_works_is_a_clean_end(engine: str, tmp_path: Path) -> None:
    """The process is stopped while it imports its engine: it waits there for the signal."""
    (tmp_path / "sitecustomize.py").write_text(WAITS_IN_AN_IMPORT.format(engine=engine))
    worker = subprocess.Popen(
        [sys.executable, "-m", f"{engine}_impl", "worker"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path), **ANY},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdout is not None
    assert worker.stdout.readline() == "importing\n"
    worker.terminate()
    _, errors = worker.communicate(timeout=300)
    assert (worker.returncode, errors) == (0, "")
