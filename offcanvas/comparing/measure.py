"""Run a canvas on Celery and elsewhere, engines taking turns, and measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from offcanvas.celery_app.planning import Submission
from offcanvas.checking.compare import Comparison
from offcanvas.checking.report import BASELINE
from offcanvas.checking.watch import Watch, watch
from offcanvas.comparing.result import Measured, Run, Used, attempts_of
from offcanvas.engines.base import Engine
from offcanvas.engines.registry import addresses, engine
from offcanvas.errors import EngineError
from offcanvas.meter import Meter, Usage
from offcanvas.servers.environment import private_only

#: Programs and modules that are servers of engines.
_SERVERS = frozenset(
    {"redis-server", "valkey-server", "temporal", "postgres", "rabbitmq-server", "beam.smp"}
    | {"offcanvas.servers.prefect_server"}
)
#: Engines whose worker is in this process: what it spends is theirs.
_HERE = frozenset({"temporal", "memory"})


@dataclass(frozen=True, slots=True)
class _Side:
    """An engine with its servers up: how to run on it, and its processes."""

    name: str
    run: Watch
    workers: tuple[int, ...]
    servers: tuple[int, ...]


def measure(
    target: str,
    submission: Submission,
    wanted: Comparison,
    repeat: int,
    tell: Callable[[str], None] = lambda _text: None,
) -> Measured:
    """Run ``repeat`` times on each engine, Celery among them; all that it starts is gone after it.

    Raises:
        EngineError: an engine does not come up, or Celery does not finish within the timeout.
    """
    runs = []
    with private_only(*addresses()), ExitStack() as stack:
        sides = []
        for one in (engine(BASELINE), *wanted.engines):
            tell(f"{one.name}: starting")
            sides.append(stack.enter_context(_side(one, submission)))
        for number in range(repeat):
            turn = number % len(sides)
            for side in (*sides[turn:], *sides[:turn]):
                tell(f"{side.name}: run {number + 1} of {repeat}")
                runs.append(_measured(side, submission, number))
    order = {side.name: place for place, side in enumerate(sides)}
    runs.sort(key=lambda run: (order[run.engine], run.number))
    return Measured(target, tuple(runs), {one.engine: one.reason for one in wanted.settled})


@contextmanager
def _side(one: Engine, submission: Submission) -> Iterator[_Side]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with watch(one, submission.app) as run:
        workers: list[int] = []
        servers: list[int] = []
        for child in psutil.Process().children():
            if child.pid not in before:
                (servers if _is_server(child) else workers).append(child.pid)
        yield _Side(one.name, run, tuple(workers), tuple(servers))


def _is_server(process: psutil.Process) -> bool:
    """By the command of a process or of what it has started: servers have a process around them."""
    try:
        family = [process, *process.children(recursive=True)]
        # Some servers write their address behind their name, in one word.
        words = {
            word.partition(" ")[0].rpartition("/")[2].rstrip(":")
            for member in family
            for word in member.cmdline()
        }
    except psutil.NoSuchProcess:
        return False
    is_worker = any(word.startswith("offcanvas.engines.") for word in words)
    return not is_worker and not words.isdisjoint(_SERVERS)


def _measured(side: _Side, submission: Submission, number: int) -> Run:
    sent, own = time.time(), time.process_time()
    with Meter({"worker": side.workers, "server": side.servers}) as meter:
        seen = side.run(submission)
    if side.name == BASELINE and not seen.complete:
        raise EngineError(
            "Celery has not finished the canvas, and all that it starts, within the timeout; allow "
            "more with --timeout"
        )
    worker = _used(meter.usage("worker"))
    if side.name in _HERE:
        spent = time.process_time() - own - meter.own_cpu_seconds
        worker = Used(worker.cpu + max(0.0, spent), worker.memory)
    attempts = attempts_of(side.run.entries(), sent)
    return Run(side.name, number, attempts, worker, _used(meter.usage("server")), seen)


def _used(usage: Usage) -> Used:
    return Used(usage.cpu_seconds or 0.0, usage.peak_memory_bytes or 0)
