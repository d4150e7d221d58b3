"""The two ends of a probe: a step that tells, and a lab that holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from comparisons.lab.evidence import LogMarks, log_lines, moments, scrubbed
from comparisons.lab.probes import Event, Held, NotReached, Probe, Stopped, Trap
from shared import probe as told
from shared.probe import COMMITTED, FINISHED, STARTED
from shared.settings import settings

WITHIN = 120.0  # seconds; a limit, not an expectation


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def probe(
    tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Probe]:
    monkeypatch.setenv("FAULT_PROBE", str(tmp_path / "p"))
    settings.cache_clear()
    made = Probe(tmp_path / "p", stop)
    yield made
    made.close()


def step(point: str = STARTED, item: str = "C1-1") -> threading.Thread:
    """A step that tells of a point, in a thread that ends when it is let go on."""
    thread = threading.Thread(
        target=told.reached, args=(point, "run", "generate", item, 1), daemon=True
    )
    thread.start()
    return thread


def test_a_trap_holds_one_step_and_lets_the_others_go_on(probe: Probe) -> None:
    trap = probe.set(Trap(STARTED, item="C1-1"))
    caught, other, later = step(), step(item="C2-1"), step(COMMITTED)
    held = probe.catch(trap, WITHIN)
    other.join(WITHIN)
    later.join(WITHIN)
    assert (caught.is_alive(), other.is_alive(), later.is_alive()) == (True, False, False)
    assert (held.event.item, held.event.point, held.event.attempt) == ("C1-1", STARTED, 1)
    held.release()
    caught.join(WITHIN)
    assert not caught.is_alive()
    again = step()
    again.join(WITHIN)
    assert not again.is_alive(), "the trap takes one only"
    assert len(probe.events("run")) == 4
    assert probe.events("another run") == []


def test_a_step_that_hangs_is_not_let_go_with_the_others(probe: Probe) -> None:
    trap = probe.set(Trap(STARTED, times=None))
    hanging, waiting = step(item="C1-1"), step(item="C2-1")
    probe.catch(trap, WITHIN, number=2)
    next(held for held in trap.caught if held.event.item == "C1-1").hang()
    probe.clear_traps()
    waiting.join(WITHIN)
    assert (hanging.is_alive(), waiting.is_alive()) == (True, False)
    probe.clear()
    hanging.join(WITHIN)
    assert not hanging.is_alive()


def test_each_step_caught_can_be_acted_on_at_once(probe: Probe) -> None:
    seen: list[str] = []

    def note(held: Held) -> None:
        seen.append(held.event.item)
        held.release()

    probe.set(Trap(STARTED, times=None, then=note))
    for thread in [step(item=name) for name in ("C1-1", "C2-1", "C3-1")]:
        thread.join(WITHIN)
    assert sorted(seen) == ["C1-1", "C2-1", "C3-1"]


def test_a_finished_step_does_not_wait(probe: Probe) -> None:
    trap = probe.set(Trap(FINISHED))
    thread = step(FINISHED)
    thread.join(WITHIN)
    assert not thread.is_alive()
    assert probe.catch(trap, WITHIN).event.point == FINISHED


def test_what_is_not_reached_is_named_and_a_lab_that_ends_waits_for_nothing(
    probe: Probe, stop: threading.Event
) -> None:
    with pytest.raises(NotReached, match="generate committed: not within 0 s"):
        probe.catch(Trap(COMMITTED), 0.0)
    stop.set()
    with pytest.raises(Stopped):
        probe.catch(Trap(COMMITTED), WITHIN)


def test_the_timeline_is_in_order_and_counts_from_the_fault() -> None:
    event = Event(STARTED, "run", "generate", "C1-1", 2, 77, 101.5)
    lines = moments([(102.0, "HEAL: it is back"), (101.0, "FAULT: it goes")], [event], 101.0)
    assert [(line.at, line.what, line.who) for line in lines] == [
        (0.0, "FAULT: it goes", ""),
        (0.5, "generate C1-1: started, attempt 2", "77"),
        (1.0, "HEAL: it is back", ""),
    ]


def test_only_new_and_telling_lines_of_a_log_are_kept_without_paths(tmp_path: Path) -> None:
    log = tmp_path / "worker-1.log"
    log.write_text("ERROR before\n")
    before = LogMarks.now({"worker-1": log})
    with log.open("a") as more:
        more.write(f"all is well\n\x1b[31mERROR in {tmp_path}/rolls/x.pdf\x1b[0m\n")
    assert log_lines(before, {"worker-1": log}, tmp_path) == {
        "worker-1": ("ERROR in LANE/rolls/x.pdf",)
    }
    assert scrubbed("lost at /usr/lib/python3/site-packages/celery/app.py", tmp_path) == (
        "lost at celery/app.py"
    )
