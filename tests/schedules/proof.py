"""Random crontabs in zones with odd clocks: firings on Celery, Temporal and Prefect compared.

`make schedules-proof` draws 500 and keeps what differs in benchmarks/schedules.json. Every
difference has to be on a day on which the clocks of the zone are changed.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from offcanvas.engines.temporal.connection import connect
from offcanvas.schedules.compare import compare
from offcanvas.schedules.entries import Cron
from offcanvas.schedules.firings import on_celery, on_prefect, on_temporal
from offcanvas.servers import temporal

ZONES = (
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Chatham",  # changed at 2:45
    "Antarctica/Troll",  # two hours
    "America/Santiago",  # changed at midnight
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",  # never
    "UTC",
    "America/St_Johns",
    "Africa/Cairo",
    "Europe/London",
    "Australia/Adelaide",
)
START = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
DAYS = 800
KEPT = Path(__file__).parents[2] / "benchmarks" / "schedules.json"


def drawn(count, seed):
    """Random crontabs; most fire some times a day, in the hours in which clocks are changed too."""
    any_ = random.Random(seed)  # noqa: S311  # no secret

    def some(low, high, most):
        return tuple(sorted(any_.sample(range(low, high + 1), any_.randint(1, most))))

    every = {
        "day_of_month": tuple(range(1, 32)),
        "month": tuple(range(1, 13)),
        "day_of_week": tuple(range(7)),
    }
    found = []
    while len(found) < count:
        hour = any_.choice([some(0, 23, 4), (any_.randint(0, 4),), tuple(range(24)), some(0, 4, 3)])
        minute = some(0, 59, 2) if len(hour) < 24 else some(0, 59, 1)
        fields = {
            "day_of_month": some(1, 28, 6) if any_.random() < 0.3 else every["day_of_month"],
            "month": some(1, 12, 5) if any_.random() < 0.2 else every["month"],
            "day_of_week": some(0, 6, 3) if any_.random() < 0.3 else every["day_of_week"],
        }
        zone = ZONES[len(found) % len(ZONES)]
        found.append(Cron(minute=minute, hour=hour, zone=zone, **fields))
    return found


async def proven(crons, address, days=DAYS, tell=lambda _line: None):
    """For each crontab: its text, zone, firings, and by engine the days that differ."""
    client = await connect(address)
    end = START + timedelta(days=days)
    told = []
    for number, one in enumerate(crons):
        ours = on_celery(one, START, end)
        sides = {
            "temporal": await on_temporal(client, one, START, end),
            "prefect": await asyncio.to_thread(on_prefect, one, START, end),
        }
        row = {"cron": one.text, "zone": one.zone, "firings": len(ours), "differ": {}}
        for name, theirs in sides.items():
            found = compare(ours, theirs, one.zone, end)
            row["differ"][name] = [
                [each.day, each.change, list(each.celery), list(each.there)]
                for each in found.differences
            ]
        told.append(row)
        if number % 25 == 24:
            tell(f"{number + 1} of {len(crons)}")
    return told


def unexplained(rows):
    """Days that differ although no clock is changed on them."""
    return [
        (row["cron"], row["zone"], engine, *day)
        for row in rows
        for engine, days in row["differ"].items()
        for day in days
        if not day[1]
    ]


def main():
    parser = argparse.ArgumentParser(prog="make schedules-proof")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with temporal() as server:
        rows = asyncio.run(
            proven(
                drawn(given.count, given.seed),
                server.url,
                tell=lambda line: sys.stderr.write(f"{line}\n"),
            )
        )
    odd = unexplained(rows)
    days = Counter(engine for row in rows for engine, days in row["differ"].items() for _ in days)
    firings = sum(row["firings"] for row in rows)
    sys.stdout.write(
        f"{len(rows)} crontabs, {firings:,} firings; days of changed clocks that differ: "
        f"{dict(days)}; unexplained: {len(odd)}\n"
    )
    for one in odd[:20]:
        sys.stdout.write(f"{one}\n")
    if given.count >= 500:
        KEPT.write_text(json.dumps(rows, separators=(",", ":")) + "\n")
    sys.exit(1 if odd else 0)


if __name__ == "__main__":
    main()
