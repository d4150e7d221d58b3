"""Record a history of each canvas below: python -m tests.engines.temporal.record_histories.

Histories of past releases stay: open canvases must go on with the new code. Record anew only those
of canvases that are new, and never change a history that was released.
"""

import re
from pathlib import Path

from celery import chain, chord, group

from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.temporal import driver
from offcanvas.engines.temporal.client import finish, start_canvas
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.servers import temporal
from tests.engines.apart import (
    add,
    app,
    boom,
    extends,
    flaky,
    starts,
    swapped_group,
    total,
)

FOLDER = Path(__file__).with_name("histories")

#: Name of the history, the canvas, and limits of the driver it was recorded with.
CANVASES = {
    "task": (add.s(1), {}),
    "chain": (chain(add.s(1), add.s(2), add.s(3)), {}),
    "group": (group(add.s(i) for i in range(5)), {}),
    "chord": (chord([add.s(1), group(add.s(2), add.s(3))], total.s() | add.s(1)), {}),
    "failed_header": (chord([add.s(1), boom.s()], total.s().on_error(add.si(1))), {}),
    "failed_chain": (chain(boom.s().on_error(add.si(1)), add.s(1), add.s(1)), {}),
    "retries_and_delay": (chain(add.s(1).set(countdown=0.2), flaky.s()), {}),
    "replaced": (swapped_group.s(1) | total.s(), {}),
    "added_to_chord": (chord([extends.s(1), add.s(1)], total.s()), {}),
    "spawned": (group(add.s(1).set(link=[add.s(1)]), starts.s("/dev/null")), {}),
    "wide": (chord([add.s(i) for i in range(9)], total.s()), {"SLICE": 4, "IN_FLIGHT": 2}),
    "sliced": (chord([add.s(i) for i in range(9)], total.s()), {"SLICE": 4, "IN_FLIGHT": 2}),
    "groups": (
        chord([add.s(1)], chain(add.si(0, 1), *([group(add.s(1), add.s(2)), total.s()] * 3))),
        {"EVENTS": 20},
    ),
    "batched": (chord([*(add.s(i) for i in range(7)), flaky.s(1)], total.s()), {}),
    "timed": (chord([add.s(i) for i in range(30)], total.s()), {}),
    "slices": (chord([add.s(i) for i in range(20)], total.s()), {"SLICE": 6}),
    "long": (chain(add.s(0), *(add.s(1) for _ in range(6))), {"EVENTS": 20}),
}


#: Members of a group that ran together (``batches.Batch``).
BATCHES = {"batched": 3, "timed": "auto", "slices": "auto"}


async def record(calls, name, canvas):
    """Run the canvas and write down the histories of its first run and of one child."""
    plan = prepare(app, canvas).plan
    batch = BATCHES.get(name)
    queue = calls.task_queue
    handle = await start_canvas(calls.client, app, plan, task_queue=queue, batch=batch)
    first = calls.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    await finish(calls.client, handle)
    found = {name: first}
    if name in {"wide", "slices"}:
        found[f"{name}_slice"] = calls.client.get_workflow_handle(f"{handle.id}/1")
    if name == "long":
        found[f"{name}_last"] = handle
    for stem, one in found.items():
        history = await one.fetch_history()
        # Who recorded it is nobody's business.
        text = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history.to_json())
        (FOLDER / f"{stem}.json").write_text(text + "\n", encoding="utf-8")


def main():
    """Record what is not recorded yet."""
    FOLDER.mkdir(exist_ok=True)
    with temporal() as server, private_results(app), private_worker(app, server.url) as calls:
        for name, (canvas, limits) in CANVASES.items():
            if (FOLDER / f"{name}.json").exists():
                continue
            before = {limit: getattr(driver, limit) for limit in limits}
            for limit, value in limits.items():
                setattr(driver, limit, value)
            calls.wait(record(calls, name, canvas))
            for limit, value in before.items():
                setattr(driver, limit, value)


if __name__ == "__main__":
    main()
