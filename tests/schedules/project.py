"""An app with entries of every kind."""

import os
from datetime import timedelta

from celery import Celery
from celery.schedules import crontab, solar

app = Celery(
    "scheduled",
    broker=os.environ.get("SCHEDULES_BROKER", "memory://"),
    backend="cache+memory://",
    set_as_current=False,
)
app.conf.timezone = "Europe/Berlin"
app.conf.beat_schedule = {
    "nightly": {
        "task": "tests.schedules.project.report",
        "schedule": crontab(hour=2, minute=30),
        "args": ("yesterday",),
        "options": {"queue": "slow", "expires": 600},
    },
    "friday-13": {
        "task": "tests.schedules.project.report",
        "schedule": crontab(minute=0, hour=0, day_of_month=13, day_of_week="fri"),
    },
    "often": {"task": "tests.schedules.project.report", "schedule": timedelta(seconds=90)},
    "seconds": {"task": "other.service.task", "schedule": 30.0, "kwargs": {"n": 1}},
    "dusk": {
        "task": "tests.schedules.project.report",
        "schedule": solar("sunset", 52.5, 13.4),
    },
}


@app.task
def report(day="today"):
    return day


@app.on_after_finalize.connect
def more(sender, **_):
    sender.add_periodic_task(crontab(minute="*/15"), report.s("quarter"), name="quarterly")
