"""Entries from each place where beat's schedulers keep them."""

import subprocess
import sys
import textwrap

import pytest

from offcanvas.errors import UsageError
from offcanvas.schedules.entries import Cron, Every, Solar
from offcanvas.schedules.read import entries
from offcanvas.servers import redis
from tests.schedules.project import app


def test_the_configuration_and_add_periodic_task():
    found = {one.name: one for one in entries(app)}
    assert list(found) == ["dusk", "friday-13", "nightly", "often", "quarterly", "seconds"]
    nightly = found["nightly"]
    assert isinstance(nightly.when, Cron)
    assert (nightly.when.text, nightly.when.zone) == ("30 2 * * *", "Europe/Berlin")
    assert (nightly.args, nightly.options) == (("yesterday",), {"queue": "slow", "expires": 600})
    assert found["friday-13"].when.text == "0 0 13 * 5"
    assert found["quarterly"].when.text == "0,15,30,45 * * * *"
    assert found["often"].when == Every(90.0)
    assert (found["seconds"].task, found["seconds"].when) == ("other.service.task", Every(30.0))
    assert found["dusk"].when == Solar("sunset", 52.5, 13.4)


def test_a_scheduler_of_ones_own():
    app.conf.beat_scheduler = "own.scheduler:Scheduler"
    try:
        with pytest.raises(UsageError, match="keeps its entries where this command does not look"):
            entries(app)
    finally:
        app.conf.beat_scheduler = "celery.beat:PersistentScheduler"


def ran(code, *words):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *words],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_rows_of_django_celery_beat(tmp_path):
    said = ran(
        """
        import sys, django
        from datetime import datetime, UTC
        from django.conf import settings
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
            INSTALLED_APPS=["django.contrib.contenttypes", "django_celery_beat"], USE_TZ=True,
            SECRET_KEY="x", DEFAULT_AUTO_FIELD="django.db.models.AutoField")
        django.setup()
        from django.core.management import call_command
        call_command("migrate", verbosity=0)
        from django_celery_beat import models as m
        cron = m.CrontabSchedule.objects.create(minute="5", hour="*/6", timezone="Asia/Kathmandu")
        every = m.IntervalSchedule.objects.create(every=10, period="minutes")
        once = m.ClockedSchedule.objects.create(clocked_time=datetime(2027, 1, 2, tzinfo=UTC))
        sun = m.SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=2)
        add = m.PeriodicTask.objects.create
        add(name="a", task="t", crontab=cron, args="[1]", kwargs='{"k": 2}', queue="q",
            expire_seconds=30, headers='{"h": 1}')
        add(name="b", task="t", interval=every,
            last_run_at=datetime(2026, 1, 1, tzinfo=UTC))
        add(name="c", task="t", clocked=once, one_off=True, enabled=False)
        add(name="d", task="t", solar=sun, start_time=datetime(2026, 5, 1, tzinfo=UTC))
        from celery import Celery
        app = Celery("x", broker="memory://", set_as_current=True)
        app.conf.beat_scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
        from offcanvas.schedules.read import entries
        for one in entries(app):
            print(one.name, one.when, one.args, one.kwargs, one.options, one.enabled, one.one_off,
                  one.starts, one.source, sep="|")
        """,
        str(tmp_path / "db.sqlite3"),
    )
    a, b, c, d = (line.split("|") for line in said)
    assert "hour=(0, 6, 12, 18)" in a[1]
    assert "zone='Asia/Kathmandu'" in a[1]
    assert a[2:5] == ["[1]", "{'k': 2}", "{'queue': 'q', 'expires': 30, 'headers': {'h': 1}}"]
    assert a[8] == "django-celery-beat"
    assert b[1].startswith("Every(seconds=600.0, anchor=datetime.datetime(2026, 1, 1")
    assert c[1].startswith("Once(at=datetime.datetime(2027, 1, 2")
    assert c[5:7] == ["False", "True"]
    assert d[1].startswith("Solar(event='sunrise'")
    assert d[7].startswith("2026-05-01")


@pytest.mark.servers
def test_keys_of_redbeat():
    with redis(tcp=True) as server:
        said = ran(
            """
            import sys
            from celery import Celery
            from celery.schedules import crontab, schedule
            app = Celery("x", broker=sys.argv[1])
            app.conf.update(beat_scheduler="redbeat.RedBeatScheduler", timezone="Europe/London",
                            redbeat_redis_url=sys.argv[1])
            from redbeat import RedBeatSchedulerEntry as E
            E("a", "t", crontab(hour=4, minute=0), args=[1], app=app).save()
            E("b", "t", schedule(60), enabled=False, app=app).save()
            from offcanvas.schedules.read import entries
            for one in entries(app):
                print(one.name, getattr(one.when, "text", one.when), one.args, one.enabled,
                      one.source, sep="|")
            """,
            server.url,
        )
    assert said[0] == "a|0 4 * * *|[1]|True|redbeat"
    assert said[1].startswith("b|Every(seconds=60.0")
    assert "|False|" in said[1]
