"""When entries fire on each side, by the engines' own code."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from offcanvas.engines.temporal.connection import connect
from offcanvas.schedules.compare import change_on, changes, compare
from offcanvas.schedules.entries import Cron
from offcanvas.schedules.firings import on_celery, on_prefect, on_temporal
from offcanvas.servers import temporal
from tests.schedules.proof import KEPT, ZONES, drawn, proven, unexplained

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
EVERY = {
    "day_of_month": tuple(range(1, 32)),
    "month": tuple(range(1, 13)),
    "day_of_week": tuple(range(7)),
}


def cron(hour, minute, zone="Europe/Berlin", **more):
    return Cron(minute=(minute,), hour=hour, zone=zone, **{**EVERY, **more})


@pytest.fixture(scope="module")
def server():
    with temporal() as found:
        yield found.url


def everywhere(server, when):
    async def ask():
        return await on_temporal(await connect(server), when, START, END)

    theirs = asyncio.run(ask())
    return on_celery(when, START, END), theirs, on_prefect(when, START, END)


@pytest.mark.servers
def test_a_quiet_hour_is_the_same_everywhere(server):
    celery, there, prefect = everywhere(server, cron((12,), 0))
    assert len(celery) == 365
    assert celery == there == prefect


@pytest.mark.servers
def test_day_of_the_month_and_weekday_have_both_to_fit(server):
    friday = cron((0,), 0, "UTC", day_of_month=(13,), day_of_week=(5,))
    celery, there, prefect = everywhere(server, friday)
    assert [one.date().isoformat() for one in celery] == ["2026-02-13", "2026-03-13", "2026-11-13"]
    assert celery == there == prefect


@pytest.mark.servers
def test_days_on_which_clocks_are_changed_are_named(server):
    celery, there, _ = everywhere(server, cron((2,), 30))
    found = compare(celery, there, "Europe/Berlin", END)
    assert not found.unexplained
    days = {one.day: one.change for one in found.differences}
    assert days.items() <= {"2026-03-29": "02:00 -> 03:00", "2026-10-25": "03:00 -> 02:00"}.items()
    assert "2026-03-29" in days  # a time that is not there


def test_a_difference_on_any_other_day_is_unexplained():
    celery = on_celery(cron((2,), 30), START, END)
    found = compare(celery, celery[:100] + celery[101:], "Europe/Berlin", END)
    assert len(found.unexplained) == 1
    assert found.unexplained[0].there == ()


def test_changes_of_clocks():
    assert changes("Europe/Berlin", START, END) == [
        "2026-03-29 02:00 -> 03:00",
        "2026-10-25 03:00 -> 02:00",
    ]
    assert change_on("Australia/Lord_Howe", "2026-10-04") == "02:00 -> 02:30"
    assert change_on("Antarctica/Troll", "2026-03-29") == "01:00 -> 03:00"
    assert change_on("Pacific/Chatham", "2026-09-27") == "02:45 -> 03:45"
    assert changes("Asia/Kathmandu", START, END) == []


@pytest.mark.servers
def test_random_crontabs_in_all_zones(server):
    rows = asyncio.run(proven(drawn(len(ZONES), 2), server, days=400))
    assert {row["zone"] for row in rows} == set(ZONES)
    assert unexplained(rows) == []
    assert all(row["firings"] for row in rows)


def test_the_kept_proof_is_whole_and_has_no_unexplained_day():
    rows = json.loads(KEPT.read_text())
    assert len(rows) == 500
    assert {row["zone"] for row in rows} == set(ZONES)
    assert unexplained(rows) == []
