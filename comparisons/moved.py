"""`make moved`: a stream of voter rolls is moved from Celery to an engine, and back, while it runs.

The percentage goes 0, 10, 50, 100 and back to 0 while runs of the step before are still in flight.
Then Celery is looked at until it is drained, and the ledger is asked: each step of each run has to
be there once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from comparisons.stage import Worker
from offcanvas.servers import prefect, redis, start_together, temporal

ROOT = "celery_impl.chord_by_station:canvas"
VARIANT = "chord_by_station"
PHASES = ((0, "0 %"), (10, "10 %"), (50, "50 %"), (100, "100 %"), (0, "rolled back"))
SIZES = (1, 41, 501)
_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "moved.svg"
_WITHIN = 1_200.0  # seconds; a limit for what never comes


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a move.

    Attributes:
        engine: where to.
        phases: for each step of the percentage, its name and how many runs went each way.
        rolls: how many rolls were printed, by the ledger.
        lost: steps that were meant and not done.
        repeated: effects beyond one for each step.
        drained: whether nothing was left on Celery.
    """

    engine: str
    phases: tuple[tuple[str, int, int], ...]
    rolls: int
    lost: int
    repeated: int
    drained: bool


def move(engine: str, runs: int) -> Moved:
    """Move so many runs a phase, with servers and workers of their own."""
    with _stage(engine) as rules:
        from celery_impl.client import Client
        from comparisons.moving_app import app
        from offcanvas.cutover.live import LiveRules
        from offcanvas.cutover.router import CutOver
        from offcanvas.drain.findings import Place
        from offcanvas.drain.watch import wait_until_drained

        client = Client()
        client.wait_for_worker(_WITHIN)
        started: dict[str, list[tuple[str, str]]] = {}
        for number, (percent, name) in enumerate(PHASES):
            _write(rules, engine, percent)
            started[name] = [
                (run_id, client.start(VARIANT, run_id))
                for run_id in (f"moved-{number}-{one}" for one in range(runs))
            ]
        for phase in started.values():
            for _, execution in phase:
                client.wait(execution, _WITHIN)
        router = CutOver(app, LiveRules(rules))
        phases = []
        for name, phase in started.items():
            found = [router.claims.get(execution) for _, execution in phase]
            there = sum(one is not None and one.engine == engine for one in found)
            phases.append((name, len(phase) - there, there))
        left_out = [Place.BEAT, Place.OTHER_QUEUES, Place.CHORDS]
        drained = wait_until_drained(app, 1.0, left_out, timeout=120)
        rolls, lost, repeated = _counted([run for phase in started.values() for run, _ in phase])
        router.close()
        client.close()
        return Moved(engine, tuple(phases), rolls, lost, repeated, drained.safe)


def _counted(runs: list[str]) -> tuple[int, int, int]:
    """Rolls printed, steps lost and steps repeated, by the ledger."""
    from shared.database import transaction
    from shared.models import Effect, Intent
    from shared.steps import GENERATE

    with transaction(read_only=True) as session:
        effects = Counter(
            (row.run_id, row.step, row.item)
            for row in session.scalars(select(Effect).where(Effect.run_id.in_(runs)))
        )
        meant = {
            (row.run_id, row.step, row.item)
            for row in session.scalars(select(Intent).where(Intent.run_id.in_(runs)))
        }
    rolls = sum(count for (_, step, _), count in effects.items() if step == GENERATE)
    return rolls, len(meant - effects.keys()), effects.total() - len(effects)


def _write(rules: Path, engine: str, percent: int) -> None:
    text = f'[cutover]\nclaims = "sqlite:///{rules.with_name("claims.db")}"\n'
    text += f'[root."{ROOT}"]\nto = "{engine}"\npercent = {percent}\nkey = "run_id"\n'
    new = rules.with_name("new.toml")
    new.write_text(text + "claims = true\n", encoding="utf-8")
    new.replace(rules)


@contextmanager
def _stage(engine: str) -> Iterator[Path]:
    """Servers, a roll book, and a worker on both sides; the rules."""
    starters: Any = (redis, temporal if engine == "temporal" else prefect)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for server in stack.enter_context(start_together(*starters)):
            os.environ.update(server.environment)
        rules = folder / "cutover.toml"
        os.environ.update(
            DATABASE_URL=f"sqlite:///{folder / 'voters.db'}",
            ROLLS_DIR=str(folder / "rolls"),
            CONCURRENCY="2",
            CELERY_PROFILE="hardened",
            SWEEP_EVERY="86400",
            MOVING_RULES=str(rules),
        )
        from shared.database import create_tables, transaction
        from shared.fake import sized
        from shared.roll_book import fill

        create_tables()
        with transaction() as session:
            fill(session, sized(SIZES))
        _write(rules, engine, 0)
        from offcanvas.cutover.stores import open_claims

        claims = open_claims(f"sqlite:///{folder / 'claims.db'}")
        claims.create()
        claims.close()
        python = [sys.executable, "-W", "ignore", "-m"]
        commands = {
            "celery": [*python, "comparisons.moving_app"],
            engine: [*python, f"offcanvas.engines.{engine}", "comparisons.moving_app:app"],
        }
        for name, command in commands.items():
            worker = Worker.start(name, command, folder)
            stack.callback(worker.stop)
        yield rules


def picture(moved: list[Moved]) -> str:
    """How many runs went each way in each phase, as SVG."""
    bars, y = [], 40
    for one in moved:
        bars.append(f'<text x="10" y="{y}" class="h">to {one.engine.capitalize()}</text>')
        for name, here, there in one.phases:
            y += 28
            unit = 360 / max(here + there, 1)
            left = 120 + here * unit
            bars.append(f'<text x="10" y="{y + 4}">{name}</text>')
            bars.append(f'<rect x="120" y="{y - 10}" width="{here * unit:.1f}" class="c"/>')
            bars.append(f'<rect x="{left:.1f}" y="{y - 10}" width="{there * unit:.1f}" class="e"/>')
            bars.append(f'<text x="490" y="{y + 4}">{here} on Celery, {there} there</text>')
        y += 44
    return _SVG.format(height=y, bars="\n".join(bars))


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {height}" width="680">
<style>text {{ font: 14px sans-serif; fill: #333 }} .h {{ font-weight: bold }}
rect {{ height: 18px }} .c {{ fill: #7aa95c }} .e {{ fill: #5c6bc0 }}</style>
<rect x="0" y="0" width="680" style="height:{height}px;fill:#fff"/>
{bars}
</svg>
"""


def main() -> None:
    """Move to one engine in this process; with none named, to each in a process of its own."""
    parser = argparse.ArgumentParser(prog="make moved")
    parser.add_argument("--to", choices=("temporal", "prefect"), required=True)
    parser.add_argument("--runs", type=int, default=10, help="a phase")
    parser.add_argument("--out", type=Path, help="a file of JSON that is added to")
    given = parser.parse_args()
    done = move(given.to, given.runs)
    sys.stdout.write(f"{json.dumps(asdict(done), indent=1)}\n")
    if given.out is not None:
        kept = json.loads(given.out.read_text()) if given.out.exists() else []
        kept = [one for one in kept if one["engine"] != given.to] + [asdict(done)]
        given.out.write_text(json.dumps(kept, indent=1) + "\n")
        shown = [Moved(**{**one, "phases": tuple(map(tuple, one["phases"]))}) for one in kept]
        _PICTURE.write_text(picture(shown), encoding="utf-8")
    sys.exit(0 if done.drained and not done.lost and not done.repeated else 1)


if __name__ == "__main__":
    main()
