from pathlib import Path

from offcanvas.audit.fix import cured
from tests.audit.helpers import audit, lines

APP = """
from datetime import timedelta
from celery import Celery
from celery.schedules import crontab, schedule
app = Celery("shop", broker="redis://x")

@app.task
def load(): ...

@app.task(time_limit=600)
def long(): ...

@app.task
def locked(lock):
    with lock.acquire():
        pass
"""


def test_names_that_nobody_has() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/tasks.py": APP,
        "shop/beat.py": """
from shop.tasks import app
app.conf.beat_schedule = {
    "a": {"task": "shop.tasks.laod", "schedule": 3600},
    "b": {"task": "shop.task.load", "schedule": 3600},
    "c": {"task": "shop.tasks.load", "schedule": 3600},
    "d": {"task": "other.tasks.load", "schedule": 3600},
    "e": {"task": "celery.backend_cleanup", "schedule": 3600},
    "f": {"task": "tasks.load", "schedule": 3600},
}
""",
    }
    found = audit("CEL501", files)
    assert lines(found) == [4, 5]
    assert [bool(f.doubt) for f in found] == [False, True]
    assert "'shop.tasks.load' exists" in found[1].message


def test_crontabs() -> None:
    found = audit(
        "CEL501",
        APP
        + """
crontab(hour=3)
crontab(day_of_week="mon")
crontab(minute=0, day_of_month=1)
crontab()
crontab(hour="*")
crontab(0, 3)
crontab(minute="*/5", day_of_week="mon")
crontab(hour=3, minute=0)
""",
    )
    assert lines(found) == [18, 19, 20]
    assert [bool(f.edits) for f in found] == [True, True, False]
    assert found[2].doubt


def test_the_cure(tmp_path: Path) -> None:
    source = (
        "from celery.schedules import crontab\n"
        "A = crontab(hour='*/3')\n"
        "B = crontab(\n    day_of_week=1\n)\n"
    )
    (tmp_path / "tasks.py").write_text(source)
    changes = cured(audit("CEL501", source), tmp_path)
    assert changes.files["tasks.py"][1].decode() == source.replace(
        "hour=", "minute=0, hour="
    ).replace("day_of_week", "minute=0, hour=0, day_of_week")


def test_another_crontab() -> None:
    assert not audit(
        "CEL501", APP.replace("crontab, ", "") + "from huey import crontab\ncrontab(hour=3)\n"
    )


def test_overlap() -> None:
    found = audit(
        "CEL501",
        APP
        + """
app.conf.beat_schedule = {
    "a": {"task": "tasks.load", "schedule": 10},
    "b": {"task": "tasks.load", "schedule": 90.0},
    "c": {"task": "tasks.long", "schedule": timedelta(minutes=5)},
    "d": {"task": "tasks.long", "schedule": schedule(run_every=timedelta(minutes=20))},
    "e": {"task": "tasks.load", "schedule": 10, "options": {"expires": 10}},
    "f": {"task": "tasks.locked", "schedule": 10},
}
""",
    )
    assert lines(found) == [19, 21]
    assert all(f.severity.label == "medium" and f.doubt for f in found)
