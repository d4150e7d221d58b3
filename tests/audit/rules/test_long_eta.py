from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
from datetime import datetime, timedelta, timezone
from celery import Celery
app = Celery("shop", broker="amqp://x")

@app.task(bind=True)
def remind(self, user_id): ...
"""


def test_countdowns_etas_and_back_off() -> None:
    found = audit(
        "CEL205",
        TASKS
        + """
@app.task(bind=True, max_retries=6)
def fetch(self):
    raise self.retry(countdown=60 * 2 ** self.request.retries)

def plan(due):
    remind.apply_async((1,), countdown=3600)
    remind.apply_async((1,), eta=datetime.now(timezone.utc) + timedelta(days=2))
    remind.apply_async((1,), eta=due)
""",
    )
    assert lines(found) == [11, 14, 15, 16]
    assert "reaches 32 minutes" in found[0].message
    assert "2 days" in found[2].message
    assert [f.severity for f in found[2:]] == [Severity.MEDIUM, Severity.LOW]


def test_short_and_bounded_delays() -> None:
    assert not audit(
        "CEL205",
        TASKS
        + """
@app.task(bind=True, max_retries=20)
def fetch(self, seconds):
    raise self.retry(countdown=min(60 * 2 ** self.request.retries, 300))

def plan(wait):
    remind.apply_async((1,), countdown=600)
    remind.apply_async((1,), countdown=wait)
    remind.apply_async((1,), eta=datetime.now(timezone.utc) + timedelta(minutes=5))
    remind.apply_async((1,), {"countdown": 7200})
""",
    )


def test_quorum_queues_hold_the_messages_themselves() -> None:
    source = TASKS + "remind.apply_async((1,), countdown=7200)\n"
    assert audit("CEL205", source)
    assert not audit("CEL205", source + 'app.conf.task_default_queue_type = "quorum"\n')


def test_a_delay_from_django_settings() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/tasks.py": """
            from celery import shared_task
            from django.conf import settings

            @shared_task
            def remind(): ...

            remind.apply_async(countdown=settings.LATER)
            remind.apply_async(countdown=settings.SOON)
            remind.apply_async(countdown=settings.EITHER)
        """,
        "shop/settings/base.py": "LATER = 60 * 60\nSOON = 5\nEITHER = 3600\n",
        "shop/settings/local.py": "EITHER = 5\n",
    }
    assert lines(audit("CEL205", files)) == [8]
