from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

APP = """
from datetime import datetime, timedelta, timezone
from celery import Celery
app = Celery("shop", broker="{broker}")

@app.task(bind=True)
def remind(self, user_id): ...
"""
REDIS = APP.format(broker="redis://x/0")


def test_countdown_and_eta() -> None:
    source = """
LATER = 2 * 60 * 60

def plan():
    remind.apply_async((1,), countdown=LATER)
    remind.apply_async((1,), eta=datetime.now(timezone.utc) + timedelta(hours=3))
    remind.apply_async((1,), countdown=60)
    remind.apply_async((1,), eta=unknown())
"""
    found = audit("CEL103", REDIS + source)
    assert lines(found) == [12, 13]
    assert "3 hours" in found[1].message
    assert not audit("CEL103", APP.format(broker="amqp://x") + source)


def test_a_timeout_that_is_long_enough_or_unreadable() -> None:
    source = "remind.apply_async((1,), countdown=7200)\n"
    for timeout in ('{"visibility_timeout": 7300}', '{"visibility_timeout": t()}', "options()"):
        conf = f"app.conf.broker_transport_options = {timeout}\n"
        assert not audit("CEL103", REDIS + conf + source), timeout


def test_late_tasks_with_a_long_limit() -> None:
    found = audit(
        "CEL103",
        REDIS
        + """
@app.task(acks_late=True, time_limit=4000)
def long(): ...

@app.task(acks_late=True, time_limit=4000 - 1000)
def short(): ...

@app.task(time_limit=4000)
def early(): ...
""",
    )
    assert lines(found) == [10]


def test_a_timeout_of_many_hours() -> None:
    conf = 'app.conf.broker_transport_options = {"visibility_timeout": 86400}\n'
    (found,) = audit("CEL103", REDIS + conf)
    assert found.severity is Severity.MEDIUM
    (found,) = audit("CEL103", REDIS + conf + "app.conf.task_acks_late = True\n")
    assert found.severity is Severity.HIGH
    assert "1 day" in found.message


def test_sqs_has_half_an_hour() -> None:
    source = APP.format(broker="sqs://x") + "remind.apply_async((1,), countdown=2000)\n"
    assert lines(audit("CEL103", source)) == [8]


def test_two_kinds_of_brokers_leave_doubt() -> None:
    other = 'app.conf.broker_url = "amqp://production"\n'
    source = "remind.apply_async((1,), countdown=7200)\n"
    (found,) = audit("CEL103", REDIS + other + source)
    assert found.severity is Severity.MEDIUM
    assert "another kind, amqp" in found.doubt
    assert not audit("CEL103", REDIS + other)
    (found,) = audit("CEL103", REDIS + other.replace("amqp", "memory") + source)
    assert found.severity is Severity.HIGH
