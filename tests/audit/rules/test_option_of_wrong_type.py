from tests.audit.helpers import audit, lines

HEAD = """
from datetime import datetime, timedelta
from celery import Celery, shared_task
app = Celery("shop")
HOUR = timedelta(hours=1)

@shared_task
def mail(to): ...

"""


def test_types_that_celery_refuses() -> None:
    source = (
        HEAD
        + """
def send(p):
    mail.apply_async((1,), expires=timedelta(hours=1))
    mail.apply_async((1,), expires=HOUR)
    mail.apply_async((1,), countdown=timedelta(seconds=5))
    mail.apply_async((1,), eta=60)
    mail.apply_async((1,), eta=timedelta(1))
    mail.apply_async((1,), countdown="5")
    app.send_task("mail", expires=HOUR)
    mail.s(1).set(expires=HOUR).delay()
    mail.apply_async((1,), expires=HOUR if p else 5)
"""
    )
    found = audit("CEL208", source)
    assert lines(found) == [12, 13, 14, 15, 16, 17, 18, 19, 20]
    assert [f.severity.label for f in found] == ["high"] * 8 + ["medium"]


def test_types_that_celery_takes() -> None:
    assert not audit(
        "CEL208",
        HEAD
        + """
def send(when, p):
    mail.apply_async((1,), expires=60, countdown=2.5)
    mail.apply_async((1,), expires=datetime.now() + HOUR)
    mail.apply_async((1,), eta=datetime.now() + timedelta(hours=1))
    mail.apply_async((1,), expires=HOUR.total_seconds(), eta=when)
    mail.apply_async((1,), expires="2030-01-01T00:00:00")
    mail.apply_async((HOUR,), retry=False)
    plain.apply_async((1,), expires=HOUR)
""",
    )


def test_tasks_and_beat_entries() -> None:
    source = (
        HEAD
        + """
@shared_task(expires=HOUR)
def late(): ...

app.conf.beat_schedule = {
    "bad": {"task": "tasks.late", "schedule": 9, "options": {"expires": timedelta(seconds=9)}},
    "worse": {"task": "tasks.late", "schedule": 9, "options": {"expires": HOUR}},
    "good": {"task": "tasks.late", "schedule": 9, "options": {"expires": 9}},
}
"""
    )
    assert lines(audit("CEL208", source)) == [12, 15, 16]
