"""An app whose entries are handed over: each firing writes its id into a ledger."""

import os
from pathlib import Path

from celery import Celery
from celery.schedules import crontab

from offcanvas.cutover import cut_over

DATABASE = os.environ.get("HANDED_DATABASE")
if DATABASE:  # rows of django-celery-beat
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django_celery_beat"],
        USE_TZ=True,
        SECRET_KEY="x",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

app = Celery(
    "handed",
    broker=os.environ.get("HANDED_BROKER", "memory://"),
    backend=os.environ.get("HANDED_RESULTS", "cache+memory://"),
)
app.conf.update(
    task_default_queue="handed",
    broker_connection_retry_on_startup=True,
    beat_max_loop_interval=0.5,
    redbeat_redis_url=os.environ.get("HANDED_RESULTS"),
    redbeat_lock_key=None,
)
if os.environ.get("HANDED_SCHEDULER"):
    app.conf.beat_scheduler = os.environ["HANDED_SCHEDULER"]
NAME = "tests.schedules.handed.report"
app.conf.beat_schedule = {
    "often": {"task": NAME, "schedule": float(os.environ.get("HANDED_EVERY", "2"))},
    "minutely": {"task": NAME, "schedule": crontab()},
}


@app.task(bind=True)
def report(self):
    with Path(os.environ["HANDED_LEDGER"]).open("a") as ledger:
        ledger.write(f"{self.request.id}\n")


RULES = os.environ.get("HANDED_RULES")
if RULES:
    cut_over(app, RULES)
