"""An entry is handed over while beat and a schedule both fire: each moment goes through once."""

import importlib
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from celery.schedules import crontab, schedule, solar

from offcanvas.cutover import cut_over
from offcanvas.cutover.beat import firing
from tests.schedules.handed import NAME, app
from tests.schedules.handover import hand_over


@pytest.mark.servers
def test_an_interval_is_handed_over_to_temporal():
    found = hand_over("temporal", 2.0, together=6, alone=3)
    assert (found.twice, found.missing) == (0, 0)
    assert found.both >= 2
    assert found.moments["often"] >= 5


@pytest.fixture
def claimed(tmp_path):
    rules = tmp_path / "cutover.toml"
    rules.write_text(
        f'[cutover]\nclaims = "sqlite:///{tmp_path}/claims.db"\n'
        f'[root."{NAME}"]\nto = "temporal"\nclaims = true\n'
    )
    router = cut_over(app, rules)
    yield
    router.close()


def entry(when, task=NAME):
    last = datetime.now(UTC) - timedelta(minutes=2)
    return SimpleNamespace(name="e", task=task, schedule=when, last_run_at=last, options={})


@pytest.mark.usefixtures("claimed")
def test_names_of_firings():
    now = time.time()
    name, _, moment = firing(app, entry(schedule(3600, app=app))).partition("@")
    at = datetime.fromisoformat(moment).timestamp()
    assert name == "e"
    assert at % 3600 == 0
    assert at <= now < at + 3601
    due = firing(app, entry(crontab(app=app))).partition("@")[2]
    assert datetime.strptime(due, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC).timestamp() <= now
    assert firing(app, entry(solar("sunset", 1, 1, app=app))) is None
    assert firing(app, entry(crontab(app=app), "nobody.claims.this")) is None


@pytest.mark.usefixtures("claimed")
@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_the_other_side_gives_the_same_names(engine, tmp_path):
    from tests.schedules.test_emitted import command, module

    path = tmp_path / f"{engine}_schedules.py"
    words = ("--to", engine, "--out", str(path), "--diff-days", "0")
    assert command(*words).returncode in (0, 1)
    emitted = module(path)
    one = next(each for each in emitted.ENTRIES if each.name == "often")
    ours = entry(schedule(one.every, app=app))
    ours.name = "often"
    # Of one turn, whatever the moment in it.
    names = {emitted.named(one, datetime.now(UTC)), firing(app, ours)}
    assert len(names) == 1 or time.time() % one.every < 1
    cron = next(each for each in emitted.ENTRIES if each.name == "nightly")
    at = datetime(2026, 7, 1, 2, 30, tzinfo=UTC)
    assert emitted.named(cron, at) == "nightly@2026-07-01T02:30Z"
    importlib.invalidate_caches()
