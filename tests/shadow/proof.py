"""`make shadow-proof`: twelve planted faults, 1,000 clean roots, and what recording costs.

The same for a port to Prefect, with 200 clean roots, and for canvases that the kit runs.

The figures are kept in benchmarks/shadow.json.
"""

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

from celery import Celery
from celery.contrib.testing.worker import start_worker

from offcanvas.servers import prefect, redis, temporal
from offcanvas.shadow import record
from tests.shadow.plants import (
    KIT,
    PREFECT,
    packages,
    planted,
    replayed,
    replayed_by_kit,
    replayed_on_prefect,
)
from tests.shadow.shop import recorded

KEPT = Path(__file__).parents[2] / "benchmarks" / "shadow.json"


def found_and_false(address, folder, clean):
    """Which planted faults are found, and how many clean roots differ."""
    told = {}
    for name, package in packages(folder).items():
        if name:
            done = asyncio.run(replayed(address, folder, package))
            told[name] = sorted({each.kind for one in done for each in one.differences})
    done = asyncio.run(replayed(address, folder, "shop_temporal", times=-(-clean // 6)))
    return told, len(done), sum(bool(one.differences) for one in done)


def on_prefect(folder, clean):
    """The same for the port to Prefect."""
    told = {}
    with prefect() as server:
        made = packages(folder, [plant for _, plant in PREFECT], "shop_prefect")
        for root, plant in PREFECT:
            done = replayed_on_prefect(server.url, folder, made[plant.name], only=root)
            told[plant.name] = sorted({each.kind for one in done for each in one.differences})
        done = replayed_on_prefect(server.url, folder, made[""], times=-(-clean // 6))
    return told, len(done), sum(bool(one.differences) for one in done)


def by_kit(folder, clean):
    """The same for the app itself."""
    told = {}
    for root, plant in KIT:
        with planted(folder, plant):
            done = replayed_by_kit(folder, only=root)
        told[plant.name] = sorted({each.kind for one in done for each in one.differences})
    done = replayed_by_kit(folder, times=-(-clean // 6))
    return told, len(done), sum(bool(one.differences) for one in done)


def cost(rounds=5, tasks=300):
    """CPU seconds of a no-op task with and without recording: medians of rounds in turn.

    Of this process, in which it is sent, executed and waited for: other processes do not count.
    """
    with redis(tcp=True) as server, tempfile.TemporaryDirectory() as folder:
        app = Celery("noop", broker=server.url, backend=server.url, set_as_current=False)
        app.conf.update(worker_hijack_root_logger=False, result_expires=60)

        @app.task(name="noop.noop")
        def noop(number):
            return number

        times = {"recorded": [], "plain": []}
        with start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"):
            noop.delay(0).get(timeout=30)
            for number in range(2 * rounds):
                kind = ("recorded", "plain")[number % 2]
                recording = record(app, folder) if kind == "recorded" else None
                begin = time.process_time()
                for result in [noop.delay(one) for one in range(tasks)]:
                    result.get(timeout=60)
                if recording is not None:
                    recording.close()
                times[kind].append((time.process_time() - begin) / tasks)
    return {kind: statistics.median(each) for kind, each in times.items()}


def main():
    parser = argparse.ArgumentParser(prog="make shadow-proof")
    parser.add_argument("--clean", type=int, default=1_000)
    parser.add_argument("--on", choices=("temporal", "prefect", "kit"), action="append")
    given = parser.parse_args()
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    wanted = given.on or ("temporal", "prefect", "kit")
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    bad = False
    with tempfile.TemporaryDirectory() as folder:
        shop = recorded(Path(folder))
        before = (shop.path / "ledger.jsonl").read_text()
        found = {}
        if "temporal" in wanted:
            with temporal() as server:
                found["temporal"] = found_and_false(server.url, shop.path, given.clean)
        if "prefect" in wanted:
            found["prefect"] = on_prefect(shop.path, given.clean // 5)  # a flow run takes longer
        if "kit" in wanted:
            found["kit"] = by_kit(shop.path, given.clean)
        rows = (shop.path / "ledger.jsonl").read_text() != before
    for name, (plants, clean, false) in found.items():
        told = {"plants": plants, "clean": clean, "false_alarms": false, "ledger_changed": rows}
        bad |= bool(false) or rows or not all(plants.values())
        if name == "temporal":
            kept |= told
        else:
            kept[name] = told
        sys.stdout.write(f"{name}: {json.dumps(told, indent=1)}\n")
    if "temporal" in wanted:
        seconds = cost()
        kept |= {"seconds": seconds, "ratio": seconds["recorded"] / seconds["plain"]}
        sys.stdout.write(f"recording costs {kept['ratio']:.3f} of a task without\n")
    if given.clean >= 1_000:
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    sys.exit(bad)


if __name__ == "__main__":
    main()
