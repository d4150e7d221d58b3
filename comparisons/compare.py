"""A whole comparison, from nothing to nothing."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from comparisons import baseline, roll_books, services, stage
from comparisons.machine import environment
from comparisons.measure import QUIET_SHARE, Lane, Measurement, forget
from comparisons.plan import WARM_UP, Plan, check_out
from comparisons.reference import Reference, read_reference, rolls_checksum
from comparisons.results import Comparison, now
from offcanvas.meter import Others, cpu_seconds, wait_until_quiet
from offcanvas.servers import Server
from shared.cli import progress as bar
from shared.contract import EngineClient
from shared.settings import load_settings
from shared.steps import rolls_folder

WORKER_WITHIN = 300.0  # seconds
LOOK_EVERY = 10.0  # seconds between looks at whether a worker that is waited for still lives
IDLE_SECONDS = 2.0


def check(plan: Plan) -> None:
    """Everything that can be found wrong before anything is started.

    Raises:
        UsageError: the first thing that is wrong, and what to do.
    """
    check_out(plan.out)
    if plan.variants:
        roll_books.check(plan)
    settings = load_settings()
    services.embedded(settings, plan.engines)
    services.check_named(settings, plan.engines)
    stage.check_database()


@contextmanager
def compared(plan: Plan) -> Iterator[tuple[Comparison, Path]]:
    """Run the comparison; yields its results and the folder of the rolls that are to be kept.

    Everything it has started has ended when the block begins; its folder goes when the block ends.
    """
    begin = time.monotonic()
    with stage.signals_as_exceptions(), stage.private_folder() as folder:
        with ExitStack() as stack:
            try:
                stack.enter_context(stage.private_database(folder))
                stage.set_environment(
                    {"ROLLS_DIR": str(folder / "rolls"), "CONCURRENCY": str(plan.concurrency)}
                )
                truth = _load(plan)  # before the servers: a bad file is found here
                running = _servers(stack, plan)
                comparison = _describe(plan, truth, running)
                lanes = _lanes(stack, plan, folder, running)
                kept = folder / "kept" if plan.keep_rolls else None
                _run_all(comparison, lanes, truth, kept)
            finally:
                with bar("Stopping what was started"):
                    stack.close()
        comparison.seconds = time.monotonic() - begin
        yield comparison, folder / "kept"


def _servers(stack: ExitStack, plan: Plan) -> dict[str, Server]:
    wanted = services.embedded(load_settings(), plan.engines)
    with bar("Starting the servers"):
        running = stack.enter_context(services.started(wanted))
    for server in running.values():
        stage.set_environment(server.environment)
    return running


def _load(plan: Plan) -> Reference | None:
    """Fill the roll book, and find out what is true about it."""
    if not plan.variants:
        return None
    roll_books.load(plan)
    run_id = "baseline-0"
    with bar("Printing without an engine"):
        baseline.run_steps(run_id)
        rolls = baseline.rolls_of(run_id)
        _forget(run_id)
        return read_reference(rolls)


def _forget(run_id: str) -> None:
    shutil.rmtree(rolls_folder(run_id), ignore_errors=True)
    forget(run_id)


def _describe(plan: Plan, truth: Reference | None, running: Mapping[str, Server]) -> Comparison:
    book, checksums = {}, {}
    if truth is not None:
        sizes = [sum(truth.center_of[s] == c for s in truth.stations) for c in truth.centers]
        book = {
            "voters": truth.voters,
            "centers": len(truth.centers),
            "stations": len(truth.stations),
            "pages": truth.total_pages,
            "most_stations_in_a_center": max(sizes, default=0),
        }
        checksums = {
            "rolls": rolls_checksum(truth.rolls),
            "assignments": truth.assignments,
        }
    return Comparison(
        plan=plan,
        created=now(),
        environment=environment(),
        services=services.described(load_settings(), plan.engines, running),
        book=book,
        checksums=checksums,
        baseline={},
        idle={},
    )


def _lanes(
    stack: ExitStack, plan: Plan, folder: Path, running: Mapping[str, Server]
) -> dict[str, Lane]:
    """Start one worker an engine; they are stopped, and the clients closed, at the end."""
    lanes = {}
    with bar("Starting the workers", len(plan.engines)) as advance:
        for engine in plan.engines:
            client = load_client(engine)
            stack.callback(client.close)
            command = client.worker_command(plan.concurrency)
            worker = stage.Worker.start(engine, command, folder)
            stack.callback(worker.stop)
            pids = _pids(running[engine]) if engine in running else ()
            lanes[engine] = Lane(engine, client, worker, pids)
        for engine, lane in lanes.items():
            advance(0, engine)
            _wait_for_worker(lane)
            advance(1, "")
    return lanes


def _pids(server: Server) -> tuple[int, ...]:
    """The server's process, and those of the servers it stands on."""
    return (server.pid, *(pid for below in server.stands_on for pid in _pids(below)))


def load_client(engine: str) -> EngineClient:
    """The engine's client. Imported late: its library reads the addresses when it is imported."""
    return cast(EngineClient, importlib.import_module(f"{engine}_impl.client").Client())


def _wait_for_worker(lane: Lane) -> None:
    deadline = time.monotonic() + WORKER_WITHIN
    while True:
        try:
            lane.client.wait_for_worker(LOOK_EVERY)
        except TimeoutError:
            lane.worker.check()
            if time.monotonic() > deadline:
                what = f"took no work within {WORKER_WITHIN:.0f} s"
                raise lane.worker.error(what) from None
        else:
            return


def _run_all(
    comparison: Comparison, lanes: Mapping[str, Lane], truth: Reference | None, kept: Path | None
) -> None:
    plan = comparison.plan
    every = [pid for lane in lanes.values() for pid in lane.pids]
    measurement = Measurement(truth, plan.concurrency, kept, every)
    warm_up = WARM_UP if truth is not None else plan.workloads[0]
    with bar("Warming up", len(lanes)) as advance:
        for engine, lane in lanes.items():
            advance(0, engine)
            Measurement(truth, plan.concurrency, None, every).run(lane, warm_up, 0)
            advance(1, "")
        comparison.idle.update(_idle(lanes, every))
    others = Others()
    with bar("Comparing", len(plan.runs)) as advance:
        repetition = 0
        for number, job, engine in plan.runs:
            if number != repetition:
                repetition = number
                advance(0, "without an engine")
                _run_baselines(comparison, every)
            advance(0, f"{job} on {engine}, {number} of {plan.repeat}")
            comparison.runs.append(measurement.run(lanes[engine], job, number))
            advance(1, "")
    comparison.others_cores = others.cores()


def _idle(
    lanes: Mapping[str, Lane], every: Sequence[int]
) -> dict[str, tuple[float | None, float | None]]:
    """What each engine's processes cost all the others while they have nothing to do."""
    wait_until_quiet(every, share=QUIET_SHARE)
    groups = {(engine, name): pids for engine, lane in lanes.items()
              for name, pids in lane.groups.items()}  # fmt: skip
    before = {key: cpu_seconds(pids) for key, pids in groups.items()}
    begin = time.monotonic()
    time.sleep(IDLE_SECONDS)
    passed = time.monotonic() - begin
    share = {
        key: max(0.0, cpu_seconds(pids) - before[key]) / passed if pids else None
        for key, pids in groups.items()
    }
    return {engine: (share[engine, "workers"], share[engine, "servers"]) for engine in lanes}


def _run_baselines(comparison: Comparison, every: Sequence[int]) -> None:
    wait_until_quiet(every, share=QUIET_SHARE)
    plan = comparison.plan
    if plan.variants:
        run_id = f"baseline-{len(comparison.baseline.get('steps', [])) + 1}"
        comparison.baseline.setdefault("steps", []).append(baseline.run_steps(run_id))
        _forget(run_id)
    for workload in plan.workloads:
        seconds = baseline.run_workload(workload)
        comparison.baseline.setdefault(workload, []).append(seconds)
