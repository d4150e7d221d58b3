import pytest

from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
import uuid
import requests
from celery import shared_task
from django.core.mail import EmailMessage, send_mail
"""


def test_mails_posts_and_keys_of_one_attempt() -> None:
    found = audit(
        "CEL307",
        TASKS
        + """
@shared_task(bind=True)
def one(self, x):
    try:
        send_mail("a", "b", "c", ["d"])
        message = EmailMessage("a")
        message.send()
        requests.post("https://x", json={"x": x}, timeout=3)
        key = str(uuid.uuid4())
        requests.post("https://x", headers={"Idempotency-Key": key}, timeout=3)
    except OSError as error:
        raise self.retry(exc=error)
""",
    )
    assert [(f.line, f.severity) for f in found] == [
        (10, Severity.HIGH),
        (12, Severity.HIGH),
        (13, Severity.MEDIUM),
        (15, Severity.HIGH),
    ]


def test_stable_keys_last_steps_and_tasks_that_run_once() -> None:
    assert not audit(
        "CEL307",
        TASKS
        + """
@shared_task(autoretry_for=(OSError,))
def keyed(x):
    requests.post("https://x", headers={"Idempotency-Key": f"order-{x}"}, timeout=3)
    requests.get("https://x", timeout=3)
    send_mail("a", "b", "c", ["d"])

@shared_task
def once(x):
    requests.post("https://x", timeout=3)
    send_mail("a", "b", "c", ["d"])
    keyed(x)

def view(x):
    requests.post("https://x", timeout=3)
""",
    )


def test_late_acknowledgement_leaves_doubt() -> None:
    found = audit(
        "CEL307",
        TASKS
        + """
@shared_task(acks_late=True)
def late(x):
    send_mail("a", "b", "c", ["d"])
""",
    )
    assert lines(found) == [9]
    assert "acknowledgement" in found[0].doubt


@pytest.mark.parametrize(
    ("before", "given"),
    [
        ("", 'headers={"X-Shop-Delivery": str(uuid.uuid4())}'),
        ('h = {}\n    h["Delivery-Id"] = uuid.uuid4().hex', "headers=h"),
        ('h = dict(delivery=f"{uuid.uuid4()}")', "headers=h"),
        ('key = str(uuid.uuid4())\n    h = {"X-Event-Id": key}', "headers=h"),
        ('base = {"X-Ref-Id": secrets.token_hex()}', "headers={**base}"),
        ("", 'json={"reference": str(uuid.uuid4()), "sum": 3}'),
    ],
)
def test_a_key_that_is_made_in_each_attempt(before: str, given: str) -> None:
    (found,) = audit("CEL307", FRESH.format(before=before or "pass", given=given))
    assert "made anew in each attempt" in found.message
    assert found.severity is Severity.HIGH
    assert found.related[0][2] == "made here"


@pytest.mark.parametrize(
    "given",
    ['headers={"X-Shop-Delivery": f"order-{order}"}', 'headers={"traceparent": str(uuid.uuid4())}'],
)
def test_what_is_the_same_or_only_traces(given: str) -> None:
    found = audit("CEL307", FRESH.format(before="pass", given=given))
    assert not any("made anew" in f.message for f in found)


FRESH = """
import secrets
import uuid
import requests
from celery import shared_task

@shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)
def tell(order):
    {before}
    requests.post("https://x.example", timeout=9, {given})
"""
