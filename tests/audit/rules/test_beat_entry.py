from pathlib import Path

import pytest

from offcanvas.audit.fix import cured
from tests.audit.helpers import audit, lines, project

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
    "f": {"task": "tasks.locked", "schedule": 10, "args": ("key",)},
}
""",
    )
    assert lines(found) == [19, 21]
    assert all(f.severity.label == "medium" and f.doubt for f in found)


@pytest.mark.parametrize(
    "schedule",
    [
        "app.conf.beat_schedule = ENTRY if FLAG else {}",
        "app.conf.beat_schedule = {**ENTRY}",
        "app.conf.beat_schedule = dict(ENTRY, **{})",
        "app.conf.beat_schedule = {} | ENTRY",
        'app.conf.beat_schedule["a"] = ENTRY["a"]',
        "app.conf.beat_schedule.update(ENTRY)",
        "app.conf.beat_schedule |= ENTRY",
        'S = {}\nS["a"] = ENTRY["a"]\napp.conf.beat_schedule = S',
        "S = {}\nif FLAG:\n    S.update(ENTRY)\napp.conf.update(beat_schedule=S)",
        "def made():\n    return ENTRY\napp.conf.beat_schedule = made()",
        'def f():\n    s = {}\n    s["a"] = ENTRY["a"]\n    return s\napp.conf.beat_schedule = f()',
        'def fill(name):\n    s = {}\n    s[name] = ENTRY["a"]\n    app.conf.beat_schedule = s\n',
        'for q in QUEUES:\n    app.conf.beat_schedule[f"a-{q}"] = ENTRY["a"]',
    ],
)
def test_schedules_that_are_put_together(schedule: str) -> None:
    source = (
        APP + 'FLAG, QUEUES = load_flags()\nENTRY = {"a": {"task": "tasks.gone", "schedule": 99}}\n'
    )
    found = project(source + schedule + "\n").beat
    assert [e.task for e in found] == ["tasks.gone"]
    assert len(audit("CEL501", source + schedule + "\n")) == 1


def test_arguments_that_do_not_fit() -> None:
    source = (
        APP
        + """
app.conf.beat_schedule = {
    "few": {"task": "tasks.locked", "schedule": 99},
    "many": {"task": "tasks.locked", "schedule": 99, "args": (1, 2)},
    "wrong": {"task": "tasks.locked", "schedule": 99, "args": [1], "kwargs": {"no": 1}},
    "right": {"task": "tasks.locked", "schedule": 99, "kwargs": {"lock": 1}},
    "open": {"task": "tasks.locked", "schedule": 99, "args": load_args()},
}

@app.on_after_configure.connect
def more(sender, **kwargs):
    sender.add_periodic_task(99, locked.s(1, 2))
    sender.add_periodic_task(99, locked.s(1))
"""
    )
    found = [f for f in audit("CEL501", source) if "do not fit" in f.message]
    first = next(i for i, line in enumerate(source.splitlines(), 1) if '"few"' in line)
    assert lines(found) == [first, first + 1, first + 2, first + 9]
    assert {f.severity.label for f in found} == {"high"}
