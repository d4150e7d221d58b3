from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
from time import sleep
import time
from celery import shared_task
"""


def test_sleeps_and_doubts() -> None:
    found = audit(
        "CEL303",
        TASKS
        + """
PAUSE = 5

@shared_task
def load(items, pause):
    sleep(PAUSE)
    time.sleep(pause)
    for item in items:
        time.sleep(30)
""",
    )
    assert [(f.line, f.severity) for f in found] == [
        (10, Severity.MEDIUM),
        (11, Severity.LOW),
        (13, Severity.LOW),
    ]
    assert "rate limit" in found[2].doubt


def test_short_sleeps_other_functions_and_names() -> None:
    assert not audit(
        "CEL303",
        TASKS
        + """
from mattress import sleep as rest

@shared_task
def load():
    time.sleep(0.05)
    rest(8)
    for item in "abc":
        time.sleep(0.5)

def view():
    time.sleep(5)
""",
    )


def test_one_helper_away() -> None:
    found = audit(
        "CEL303",
        TASKS
        + """
def settle():
    time.sleep(90)

@shared_task
def load():
    settle()
""",
    )
    assert lines(found) == [11]
    assert "1.5 minutes in line 7" in found[0].message


def test_a_poll_is_told_once() -> None:
    source = (
        TASKS
        + """
@shared_task
def load():
    job = load.delay()
    while not job.ready():
        time.sleep(5)
"""
    )
    assert not audit("CEL303", source)
    assert audit("CEL302", source)


def test_what_is_left_of_a_rate_limits_window() -> None:
    source = (
        TASKS
        + """
@shared_task
def load(items, window):
    start = time.monotonic()
    for item in items:
        left = window - (time.monotonic() - start)
        if left > 0:
            sleep(left)
    {}
        elapsed = time.time() - start
        sleep(max(0, window - elapsed))
"""
    )
    assert not audit("CEL303", source.format("for item in items:"))
    assert lines(audit("CEL303", source.format("if items:"))) == [15]
