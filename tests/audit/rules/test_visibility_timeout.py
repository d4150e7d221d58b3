import pytest

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
    assert found.severity is Severity.LOW
    late = "app.conf.update(task_acks_late=True, task_time_limit=60)\n"
    (found,) = audit("CEL103", REDIS + conf + late)
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


def test_a_timeout_as_long_as_the_longest_delay_asks_for() -> None:
    conf = 'app.conf.broker_transport_options = {"visibility_timeout": 25 * 60 * 60}\n'
    late = "app.conf.update(task_acks_late=True, task_time_limit=60)\n"
    delay = "remind.apply_async((1,), countdown=24 * 60 * 60)\n"
    assert not audit("CEL103", REDIS + conf + late + delay)
    (found,) = audit("CEL103", REDIS + conf + late + delay.replace("24", "7"))
    assert found.severity is Severity.HIGH


@pytest.mark.parametrize(
    "timeout",
    [
        'int(os.environ.get("WAIT", 1800))',
        'int(os.getenv("WAIT", "1800"))',
        'env.int("WAIT", default=1800)',
        'config("WAIT", default="1800", cast=int)',
        '60 * int(os.environ.get("MINUTES", 30))',
        'getattr(settings, "WAIT", 1800)',
        'int(os.environ.get("WAIT") or 1800)',
        'timedelta(minutes=int(os.environ.get("M", 30))).total_seconds()',
    ],
)
def test_a_default_counts_with_doubt(timeout: str) -> None:
    head = REDIS + f"WAIT = {timeout}\n"
    conf = 'app.conf.broker_transport_options = {"visibility_timeout": WAIT}\n'
    (found,) = audit("CEL103", head + conf + "remind.apply_async((1,), countdown=7200)\n")
    assert found.severity is Severity.MEDIUM
    assert "only the default" in found.doubt
    assert "30 minutes" in found.message
    assert not audit("CEL103", head + conf + "remind.apply_async((1,), countdown=1700)\n")


def test_late_tasks_without_any_limit() -> None:
    late = "app.conf.task_acks_late = True\n"
    short = 'app.conf.broker_transport_options = {"visibility_timeout": 600}\n'
    (found,) = audit("CEL103", REDIS + late)
    assert (found.severity, found.line) == (Severity.LOW, 8)
    (found,) = audit("CEL103", REDIS + late + short)
    assert found.severity is Severity.MEDIUM
    assert not audit("CEL103", REDIS + late + "app.conf.task_time_limit = 60\n")
    assert not audit("CEL103", REDIS.replace("bind=True", "bind=True, time_limit=9") + late)
