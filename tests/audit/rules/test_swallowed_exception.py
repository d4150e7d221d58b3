import pytest

from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
import logging
from celery import chain, shared_task
from celery.exceptions import Retry

def work(x): ...
"""


def test_a_caught_retry() -> None:
    found = audit(
        "CEL304",
        TASKS
        + """
@shared_task(bind=True)
def lost(self, x):
    try:
        if not work(x):
            raise self.retry(countdown=5)
    except Exception:
        logging.exception("failed")

@shared_task(bind=True)
def kept(self, x):
    try:
        if not work(x):
            raise self.retry(countdown=5)
    except Retry:
        raise
    except Exception:
        logging.exception("failed")
    try:
        work(x)
    except Exception as error:
        raise self.retry(exc=error)
    try:
        self.retry()
    except ValueError:
        pass
""",
    )
    assert lines(found) == [12]
    assert found[0].related == (("tasks.py", 13, "caught here"),)
    # Celery's Task.retry sends before it raises.
    assert "the next attempt has been sent" in found[0].message


def test_an_autoretry_that_never_hears_of_it() -> None:
    found = audit(
        "CEL304",
        TASKS
        + """
@shared_task(autoretry_for=(OSError,))
def deaf(x):
    try:
        work(x)
    except Exception:
        logging.exception("failed")

@shared_task(autoretry_for=(OSError,))
def partly(x):
    work(x)
    work(x)
    try:
        work(x)
    except Exception:
        pass

@shared_task(autoretry_for=(OSError,))
def good(x):
    try:
        work(x)
    except OSError:
        raise
    except Exception:
        logging.exception("failed")

@shared_task
def no_retry(x):
    try:
        work(x)
    except Exception:
        logging.exception("failed")
""",
    )
    assert [(f.line, f.severity) for f in found] == [(12, Severity.HIGH)]


def test_a_part_of_the_task_that_may_raise_what_the_retry_is_for() -> None:
    found = audit(
        "CEL304",
        TASKS
        + """
import requests

@shared_task(autoretry_for=(requests.RequestException,))
def partly(x):
    work(x)
    work(x)
    work(x)
    try:
        requests.get(x, timeout=3)
    except Exception:
        pass
    try:
        work(x)
    except Exception:
        pass
""",
    )
    assert [(f.line, f.severity) for f in found] == [(17, Severity.MEDIUM)]


def test_a_retry_for_what_is_raised_outside_of_the_block() -> None:
    assert not audit(
        "CEL304",
        TASKS
        + """
class NotYet(Exception): ...

def single(seconds):
    def decorate(function):
        def wrapper(*args):
            if not seconds:
                raise BlockingIOError
            return function(*args)
        return wrapper
    return decorate

@shared_task(autoretry_for=(BlockingIOError,))
@single(10)
def locked(x):
    try:
        work(x)
    except Exception:
        logging.exception("failed")

@shared_task(autoretry_for=(NotYet,))
def poll(x):
    try:
        state = work(x)
        state.save()
    except Exception:
        return
    if state == "running":
        raise NotYet(x)
""",
    )


def test_a_handler_that_is_never_reached() -> None:
    found = audit(
        "CEL304",
        TASKS
        + """
@shared_task
def load(x):
    try:
        work(x)
    except Exception:
        raise
    except ValueError:
        pass
    try:
        work(x)
    except ValueError:
        pass
    except Exception:
        pass
""",
    )
    assert lines(found) == [14]


def test_a_member_of_a_chain_that_always_ends_well() -> None:
    found = audit(
        "CEL304",
        TASKS
        + """
@shared_task
def quiet(x):
    try:
        return work(x)
    except Exception:
        logging.exception("failed")

@shared_task
def told(x):
    try:
        return work(x)
    except Exception:
        return {"error": True}

def run():
    chain(quiet.s(1), told.s(), quiet.s()).delay()
    quiet.delay(1)
""",
    )
    assert lines(found) == [23]
    assert found[0].severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("wait", "handler", "line"),
    [
        ("r.get()", "except Exception:\n        pass", 13),
        ("r.get(timeout=3)", "except RuntimeError:\n        log()", 13),
        ("r.join()", "except:\n        return None", 13),
        ("r.get()", "except Exception:\n        raise", None),
        ("r.get()", "except ValueError:\n        pass", None),
        ("r.get(disable_sync_subtasks=False)", "except Exception:\n        pass", None),
        ("d.get(1)", "except Exception:\n        pass", None),
    ],
)
def test_a_wait_that_is_swallowed(wait: str, handler: str, line: int | None) -> None:
    source = f"""
from celery import shared_task

@shared_task
def pull(n): ...

@shared_task
def main(d):
    r = pull.delay(1)
    print(r)
    try:
        {wait}
    {handler}
    print("clean up")
"""
    assert lines(audit("CEL304", source)) == ([line] if line else [])
