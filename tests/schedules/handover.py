"""`make schedules-handover`: entries are handed over to a schedule, while both sides fire.

A real beat fires beside a Temporal Schedule or a Prefect schedule, for some time; then beat is
killed, and the other side goes on. By the ledger of the tasks each moment went through once, and no
turn of the interval is missing.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from offcanvas.servers import prefect, redis, temporal
from offcanvas.servers.base import stop_process_group

KEPT = Path(__file__).parents[2] / "benchmarks" / "handover.json"
ENGINES = ("temporal", "prefect")
MAIN = "from offcanvas.cli import main; main()"
APP = "tests.schedules.handed"
PYTHON = (sys.executable, "-W", "ignore")


@dataclass(frozen=True)
class HandedOver:
    """What came of it.

    Attributes:
        engine: to which the entries went.
        kept_in: where beat keeps them.
        every: seconds of the interval.
        moments: firings that went through, by entry.
        by_beat: firings of beat, and by_engine: of the other side.
        both: moments that both have fired.
        twice: moments that went through more than once.
        missing: turns of the interval that did not go through, from the first one of the engine on:
            beat alone, which counts from its own last firing, leaves one out now and then.
    """

    engine: str
    kept_in: str
    every: float
    moments: dict[str, int]
    by_beat: int
    by_engine: int
    both: int
    twice: int
    missing: int


#: Where beat keeps its entries, by what the report calls it.
SCHEDULERS = {
    "beat_schedule": "",
    "django-celery-beat": "django_celery_beat.schedulers:DatabaseScheduler",
    "redbeat": "redbeat.RedBeatScheduler",
}


def hand_over(engine, every, together, alone, kept_in="beat_schedule"):
    """Both fire for ``together`` seconds, and the engine by itself for ``alone``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis(tcp=True))
        where = (
            {"TEMPORAL_ADDRESS": stack.enter_context(temporal()).url}
            if engine == "temporal"
            else {"PREFECT_API_URL": stack.enter_context(prefect()).url}
        )
        environment = {
            **os.environ, **where,
            "HANDED_BROKER": f"{server.url}/0",
            "HANDED_RESULTS": f"{server.url}/1",
            "HANDED_LEDGER": str(folder / "ledger"),
            "HANDED_RULES": str(folder / "cutover.toml"),
            "HANDED_EVERY": str(every),
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), str(folder)]),
        }  # fmt: skip
        (folder / "cutover.toml").write_text(
            f'[cutover]\nclaims = "{server.url}/2"\n'
            f'[root."{APP}.report"]\nto = "{engine}"\nclaims = true\n'
        )
        if SCHEDULERS[kept_in]:
            environment["HANDED_SCHEDULER"] = SCHEDULERS[kept_in]
        if kept_in == "django-celery-beat":
            environment["HANDED_DATABASE"] = str(folder / "beat.sqlite3")
            code = f"import {APP}\nfrom django.core.management import call_command\n"
            code += "call_command('migrate', verbosity=0)"
            subprocess.run([*PYTHON, "-c", code], env=environment, check=True)
        stack.enter_context(
            _beside(folder, "worker", environment, "-m", "celery", "-A", APP, "worker", "-c", "1",
                    "-l", "INFO")
        )  # fmt: skip
        with _beside(
            folder, "beat", environment, "-m", "celery", "-A", APP, "beat", "-l", "INFO", "-s",
            str(folder / "beat-schedule"),
        ):  # fmt: skip
            # Its entries are where its scheduler keeps them once it has fired.
            _until(lambda: _fired(folder))
            source = folder / "schedules.py"
            words = ("-A", APP, "--to", engine, "--diff-days", "0", "--out", str(source))
            subprocess.run([*PYTHON, "-c", MAIN, "schedules", *words], env=environment, check=False)
            if engine == "temporal":
                subprocess.run([*PYTHON, str(source), "create"], env=environment, check=True)
            stack.enter_context(_beside(folder, "schedules", environment, str(source), "worker"))
            _resume(engine, where)
            _until(lambda: _by_engine(engine, where) >= 1)
            time.sleep(together)
        before = len(_lines(folder))
        time.sleep(alone)
        _until(lambda: len(_lines(folder)) > before)
        return _judged(folder, engine, kept_in, every, where)


@contextmanager
def _beside(folder, name, environment, *words):
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [*PYTHON, *words], env=environment, stdout=log, stderr=log, start_new_session=True,
            cwd=Path.cwd(),
        )  # fmt: skip
        try:
            yield process
        finally:
            stop_process_group(process)


def _until(true, seconds=300):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "still waiting"
        time.sleep(0.2)


def _lines(folder):
    path = folder / "ledger"
    return path.read_text().splitlines() if path.exists() else []


def _fired(folder):
    return (folder / "beat.log").read_text().count("Sending due task")


def _resume(engine, where):
    if engine == "temporal":
        asyncio.run(_unpause(where["TEMPORAL_ADDRESS"]))
        return
    with _prefect(where) as client:

        def found():
            return [one for one in client.read_deployments() if one.schedules]

        _until(lambda: len(found()) == 2)
        for one in found():
            (made,) = one.schedules
            client.update_deployment_schedule(one.id, made.id, active=True)


async def _unpause(address):
    from temporalio.client import Client

    client = await Client.connect(address)
    for entry in ("often", "minutely"):
        await client.get_schedule_handle(f"beat/{entry}").unpause()


@contextmanager
def _prefect(where):
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(where["PREFECT_API_URL"]) as client:
        yield client


def _by_engine(engine, where):
    """How many firings have been sent from there."""
    return len(_sent_by_engine(engine, where))


def _sent_by_engine(engine, where):
    """The entry and the moment of each firing."""
    if engine == "temporal":
        names = asyncio.run(_results(where["TEMPORAL_ADDRESS"]))
        return [(entry, _moment(at)) for entry, _, at in (one.partition("@") for one in names)]
    with _prefect(where) as client:
        runs = client.read_flow_runs(limit=200)
    done = [run for run in runs if run.state and run.state.is_completed()]
    return [(run.parameters["name"], run.expected_start_time.timestamp()) for run in done]


def _moment(text):
    return datetime.fromisoformat(text).timestamp()


async def _results(address):
    from temporalio.client import Client

    client = await Client.connect(address)
    query = 'WorkflowType = "BeatEntry" AND ExecutionStatus = "Completed"'
    return [
        await client.get_workflow_handle(one.id, run_id=one.run_id).result()
        async for one in client.list_workflows(query)
    ]


def _judged(folder, engine, kept_in, every, where):
    lines = _lines(folder)
    ran = Counter(lines)
    entries = Counter(name.partition("@")[0] for name in ran)
    fired = _sent_by_engine(engine, where)
    first = min(at for entry, at in fired if entry == "often") // every
    turns = sorted(
        turn
        for name in ran
        if name.startswith("often@")
        and (turn := round(_moment(name.partition("@")[2]) / every)) >= first
    )
    there, by_beat = len(fired), _fired(folder)
    return HandedOver(
        engine, kept_in, every, dict(entries), by_beat, there,
        max(0, by_beat + there - len(ran)), sum(n > 1 for n in ran.values()),
        int(turns[-1] - first) + 1 - len(turns),
    )  # fmt: skip


def main():
    """Hand over to each engine, print, and keep."""
    parser = argparse.ArgumentParser(prog="make schedules-handover")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--kept-in", choices=tuple(SCHEDULERS), action="append")
    parser.add_argument("--seconds", type=float, default=70)
    given = parser.parse_args()
    found = []
    everything = [("temporal", one) for one in SCHEDULERS] + [("prefect", "beat_schedule")]
    for engine, kept_in in everything:
        if engine not in (given.engine or ENGINES) or kept_in not in (given.kept_in or SCHEDULERS):
            continue
        every = 2.0 if engine == "temporal" else 20.0  # a flow run is a process
        found.append(asdict(hand_over(engine, every, given.seconds, 2.5 * every, kept_in)))
        sys.stdout.write(f"{found[-1]}\n")
    if given.seconds >= 70:
        there = json.loads(KEPT.read_text()) if KEPT.exists() else []
        new = {(one["engine"], one["kept_in"]) for one in found}
        kept = [one for one in there if (one["engine"], one["kept_in"]) not in new]
        KEPT.write_text(json.dumps([*kept, *found], indent=1) + "\n")
    sys.exit(any(one["twice"] or one["missing"] for one in found))


if __name__ == "__main__":
    main()
