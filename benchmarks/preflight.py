"""What `offcanvas preflight` says of random canvases, held against what they come to for real.

    python -m benchmarks.preflight temporal
    python -m benchmarks.preflight prefect --count 60

Each canvas runs once on a private server, with a worker of two processes. On Temporal its
histories are read from the server: events and bytes of all workflows that it took. On Prefect the
server is asked for flow runs, task runs and events. `--keep FILE` writes the results, from which
the documentation has its figures.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from celery import chain, chord, group

from benchmarks.preflight_tasks import app, nothing, text
from offcanvas.canvas.calls import TaskCall
from offcanvas.canvas.nodes import Node
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission, plan
from offcanvas.celery_app.private_results import private_results
from offcanvas.preflight import prefect as on_prefect
from offcanvas.preflight import temporal as on_temporal

KEPT = Path(__file__).parent / "kept"
WITHIN = 300.0

Figures: TypeAlias = dict[str, float]
Measure: TypeAlias = Callable[[Node], Figures]
"""Runs a frozen plan and says what it came to."""


class Engine(StrEnum):
    """Where canvases are held against."""

    TEMPORAL = "temporal"
    PREFECT = "prefect"


def drawn(number: int) -> Any:
    """The canvas of this number, always the same; from 60 on with delays and callbacks."""
    if number < len(_FIRST):
        return _FIRST[number]()
    draw = random.Random(number - len(_FIRST))  # noqa: S311  # the same canvases each time
    return _drawn(draw, 0, plain=number < _PLAIN)


_PLAIN = 60


def _drawn(draw: random.Random, depth: int, *, plain: bool) -> Any:
    kind = draw.random()
    if depth == 2 or kind < 0.25:
        return _task(draw, plain)
    if kind < 0.5:
        return chain(*[_drawn(draw, depth + 1, plain=plain) for _ in range(draw.randint(2, 5))])
    width = draw.choice([2, 3, 5, 8, 13, 30, 60]) if depth == 0 else draw.randint(2, 5)
    members = [
        _drawn(draw, depth + 1, plain=plain) if draw.random() < 0.3 else _task(draw, plain)
        for _ in range(width)
    ]
    return group(members) if kind < 0.65 else chord(members, _task(draw, plain))


def _task(draw: random.Random, plain: bool) -> Any:
    if draw.random() < 0.4:
        made: Any = nothing.si()
    else:
        made = text.si(size=draw.choice([5, 60, 400, 1000]), seed=draw.randrange(10**6))
    if not plain and draw.random() < 0.1:
        made.set(countdown=0.2)
    if not plain and draw.random() < 0.1:
        made.link(nothing.si())
    return made


_FIRST: tuple[Callable[[], Any], ...] = (
    lambda: chain(*[nothing.si() for _ in range(20)]),
    lambda: group(nothing.si() for _ in range(100)),
    lambda: chord([nothing.si() for _ in range(400)], nothing.si()),
    lambda: chord([text.si(size=900, seed=n) for n in range(200)], nothing.si()),
    lambda: chord([nothing.si("x" * 3_000) for _ in range(50)], nothing.si()),
    lambda: chord([nothing.si() for _ in range(2_500)], nothing.si()),
)
"""Shapes that chance does not draw: long, wide, with large values, cut into slices."""


def planned(canvas: Any) -> Node:
    """The plan that is run and reckoned, with its ids."""
    made = sent(app, freeze(plan(Submission(app, canvas))), asked=False).plan
    assert made is not None  # noqa: S101  # none of them is empty
    return made


def size(call: TaskCall) -> int:
    """Bytes of a result as JSON: it is what the task is told."""
    told: int = call.signature["kwargs"].get("size", 2)
    return told + 2


def reckoned(engine: Engine, made: Node) -> tuple[Figures, Figures]:
    """(as expected, at most) without running it."""
    if engine is Engine.TEMPORAL:
        found = on_temporal.rehearse(app, made, size).histories
        expected: Figures = {
            "workflows": len(found),
            "events": sum(h.events for h in found),
            "bytes": sum(h.bytes for h in found),
        }
        most: Figures = {
            "events": sum(h.bound for h in found),
            "bytes": sum(h.most_bytes for h in found),
        }
        return expected, most
    told = on_prefect.rehearse(app, made, size)
    figures: Figures = {"flow runs": told.flow_runs, "task runs": told.tasks, "events": told.events}
    return figures, {}


@contextmanager
def measured_on_temporal() -> Iterator[Measure]:
    """A worker on a private server."""
    from offcanvas.engines.temporal.private_worker import private_worker

    seen: set[str] = set()
    with private_results(app), private_worker(app, private=True) as caller:

        async def histories() -> Figures:
            counted: Figures = {"workflows": 0, "events": 0, "bytes": 0}
            async for run in caller.client.list_workflows("WorkflowType = 'offcanvas.canvas'"):
                if run.run_id in seen:
                    continue
                seen.add(str(run.run_id))
                handle = caller.client.get_workflow_handle(run.id, run_id=run.run_id)
                info = (await handle.describe()).raw_description.workflow_execution_info
                counted["workflows"] += 1
                counted["events"] += info.history_length
                counted["bytes"] += info.history_size_bytes
            return counted

        def measure(made: Node) -> Figures:
            if not caller.walk(app, made, timeout=WITHIN):
                raise TimeoutError(f"a canvas was not done after {WITHIN:g} s")
            time.sleep(1.0)  # until the server lists what it has
            return caller.wait(histories())

        yield measure


@contextmanager
def measured_on_prefect() -> Iterator[Measure]:
    """A worker on a private server."""
    from prefect.client.orchestration import PrefectClient

    from offcanvas.engines.prefect.private_worker import private_worker
    from offcanvas.servers import prefect

    with (
        private_results(app),
        prefect() as server,
        private_worker(app, server.url) as caller,
    ):

        async def counts() -> Figures:
            async with PrefectClient(server.url) as client:
                ask = client._client.post  # noqa: SLF001  # no method of the client counts
                flows = (await ask("/flow_runs/count", json={})).json()
                tasks = (await ask("/task_runs/count", json={})).json()
                every = (await ask("/events/count-by/event", json={"filter": {}})).json()
                runs = [one for one in every if one["value"].startswith(_OF_RUNS)]
                return {
                    "flow runs": flows,
                    "task runs": tasks,
                    "events": sum(one["count"] for one in runs),
                }

        def at_rest() -> Figures:
            before: Figures = {}
            now = asyncio.run(counts())
            while now != before:
                time.sleep(_STORED_WITHIN)
                before, now = now, asyncio.run(counts())
            return now

        before = at_rest()

        def measure(made: Node) -> Figures:
            nonlocal before
            if not caller.walk(app, made, timeout=WITHIN):
                raise TimeoutError(f"a canvas was not done after {WITHIN:g} s")
            known, before = before, at_rest()
            return {name: before[name] - known[name] for name in before}

        yield measure


_STORED_WITHIN = 7.0  # seconds; the server stores events together, every five
_OF_RUNS = (
    "prefect.flow-run.",
    "prefect.task-run.",
    "prefect.worker.submitted-flow-run",
    "prefect.worker.executed-flow-run",
)

MEASURED = {Engine.TEMPORAL: measured_on_temporal, Engine.PREFECT: measured_on_prefect}


def main(
    engine: Annotated[Engine, typer.Argument(help="Where to.")],
    count: Annotated[int, typer.Option(min=1, help="How many canvases.")] = 60,
    keep: Annotated[Path | None, typer.Option(help="Write the results to this file.")] = None,
) -> None:
    """Run, compare and print."""
    rows = []
    with MEASURED[engine]() as measure:
        for number in range(count):
            made = planned(drawn(number))
            expected, most = reckoned(engine, made)
            real = measure(made)
            rows.append({"number": number, "expected": expected, "most": most, "real": real})
            typer.echo(f"{number}: {expected} {real}", err=True)
    typer.echo(summary(rows))
    if keep is not None:
        keep.parent.mkdir(exist_ok=True)
        keep.write_text(json.dumps({"engine": engine, "rows": rows}, indent=1) + "\n")


def summary(rows: list[dict[str, Any]]) -> str:
    """A table in Markdown: how far predictions are off, and how far bounds are above the truth."""
    lines = [
        "| figure | canvases | median error | nine of ten within | largest | bound too low |",
        "|---|---|---|---|---|---|",
    ]
    for name in rows[0]["real"]:
        off = sorted(abs(r["expected"][name] / r["real"][name] - 1) for r in rows)
        bound = "-"
        if name in rows[0]["most"]:
            bound = f"{sum(r['most'][name] < r['real'][name] for r in rows)} times"
        tenth = off[min(len(off) - 1, int(0.9 * len(off)))]
        said = [f"{share:.1%}" for share in (statistics.median(off), tenth, off[-1])]
        lines.append(f"| {name} | {len(rows)} | {' | '.join(said)} | {bound} |")
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
