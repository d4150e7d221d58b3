"""A lab hears of every point that a step reaches, and decides when the step goes on."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from shared import ledger, probe
from shared.database import transaction
from shared.ledger import StepClock
from shared.models import Effect
from shared.settings import settings
from shared.steps import begin_run


class Lab:
    """Answers every question at once, after looking at what is committed by then."""

    def __init__(self, path: Path) -> None:
        self.told: list[tuple[str, int]] = []  # point, committed effects at that moment
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection, connection.makefile("rb") as lines:
                event = json.loads(lines.readline())
                with transaction(read_only=True) as session:
                    committed = len(session.scalars(select(Effect)).all())
                self.told.append((event["point"], committed))
                if event["point"] != probe.FINISHED:
                    connection.sendall(probe.GO)


@pytest.fixture
def path(sqlite_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FAULT_PROBE", str(tmp_path / "p"))
    settings.cache_clear()
    yield tmp_path / "p"
    settings.cache_clear()


def step() -> None:
    begin_run("run", "chord_by_station", "none")
    clock = StepClock.start("run", "generate", "C1-1", 1)
    with transaction() as session:
        clock.leave_effect(session)


def test_a_step_tells_its_points_in_order(path: Path) -> None:
    lab = Lab(path)
    step()
    with transaction(read_only=True) as session:
        assert ledger.balance(session, "run").executed == {("generate", "C1-1"): 1}
    assert lab.told[:3] == [("started", 0), ("in_transaction", 0), ("committed", 1)]


def test_a_lab_that_has_gone_holds_up_nobody(path: Path) -> None:
    assert not path.exists()
    step()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()  # nobody listens any more
    step()


def test_an_impossible_limit_is_told_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.errors import UsageError
    from shared.settings import at_import, load_settings

    monkeypatch.setenv("STEP_TIME_LIMIT", "soon")
    assert at_import().step_time_limit == 300
    with pytest.raises(UsageError, match=r"^STEP_TIME_LIMIT='soon': "):
        load_settings()
