import pytest

from tests.audit.helpers import audit, lines

TASKS = """
import logging
import time
from celery import shared_task

@shared_task
def other(x): ...
"""


def test_a_task_that_sends_itself() -> None:
    found = audit(
        "CEL207",
        TASKS
        + """
@shared_task(bind=True)
def one(self, x):
    self.apply_async((x,))

@shared_task
def two(x, page=0):
    two.delay(x, page=0)
""",
    )
    assert lines(found) == [11, 15]


def test_pages_and_delays_end() -> None:
    assert not audit(
        "CEL207",
        TASKS
        + """
@shared_task
def pages(x, page=0):
    pages.delay(x, page=page + 1)
    pages.apply_async((x,), countdown=30)
    other.delay(x)

@shared_task
def rest(items):
    items = items[1:]
    rest.delay(items)
""",
    )


def test_a_loop_without_end() -> None:
    found = audit(
        "CEL207",
        TASKS
        + """
def flood():
    while True:
        other.delay(1)

def paced(queue):
    while True:
        other.delay(1)
        time.sleep(1)
    while True:
        item = queue.get()
        other.delay(item)
    while True:
        other.delay(1)
        if queue:
            break
""",
    )
    assert lines(found) == [11]


def test_a_failure_to_send_that_is_hidden() -> None:
    found = audit(
        "CEL207",
        TASKS
        + """
def view(order):
    try:
        other.delay(1)
    except Exception:
        logging.exception("no broker")
    try:
        other.delay(2)
    except Exception:
        order.mark_failed()
    try:
        other.delay(3)
    except Exception:
        raise
    try:
        other.delay(4)
    except ValueError:
        pass
""",
    )
    assert lines(found) == [11]
    assert found[0].doubt


HIDDEN = """
from celery import shared_task

class Batch:
    def start(self):
        try:
            work.delay(1)
        except Exception:
            pass

@shared_task
def work(key): ...

@shared_task
def sweep(batches):
    for batch in batches:
        batch.start()

app.conf.beat_schedule = {"sweep": {"task": "tasks.%s", "schedule": 60}}
"""


def test_a_scheduled_task_that_sends_again() -> None:
    source = "from celery import Celery\napp = Celery()\n" + HIDDEN
    assert lines(audit("CEL207", source % "work")) == [9]
    assert not audit("CEL207", source % "sweep")
    assert not audit("CEL207", (source % "sweep").replace("batch.start()", "work.delay(batch)"))
    second = "\ndef start(): ...\n"  # now it cannot be told which one the schedule calls
    assert lines(audit("CEL207", (source % "sweep") + second)) == [9]


@pytest.mark.parametrize(
    ("again", "spins"),
    [
        ("main.s(n, fast=fast).apply_async(queue='slow')", True),
        ("main.si(n, fast).delay()", True),
        ("main.signature((n,), {'fast': fast}).apply_async()", True),
        ("main.s(n, fast=fast).set(queue='slow').delay()", True),
        ("main.s(n, fast=fast).apply_async(countdown=5)", False),
        ("main.s(n, fast=fast).set(countdown=5).delay()", False),
        ("main.s(n - 1).apply_async()", False),
        ("other.s(n).apply_async()", False),
    ],
)
def test_requeued_through_a_signature(again: str, spins: bool) -> None:
    source = f"""
from celery import shared_task

@shared_task
def other(n): ...

@shared_task
def main(n, fast=True):
    if busy():
        {again}
        return
"""
    assert lines(audit("CEL207", source)) == ([10] if spins else [])


def test_a_parameter_that_is_set_to_a_constant() -> None:
    source = """
from celery import shared_task

@shared_task
def main(n, fast=True, tries=0):
    if n == 3:
        fast = False
    if busy():
        main.delay(n, fast=fast)
    if not fast:
        fast = True
        main.delay(n, fast=fast)
    tries += 1
    main.delay(n, tries=tries)
"""
    assert lines(audit("CEL207", source)) == [9]


@pytest.mark.parametrize(
    "loop",
    [
        "while True:\n        main.delay(next(n))",
        "while True:\n        main.delay(n.pop())",
        "try:\n        while True:\n            main.delay(take(n))\n    except KeyError: pass",
        "while True:\n        main.delay(n)\n        if n > 3:\n            sys.exit()",
        "while True:\n        match n:\n            case 1: return\n        main.delay(1)",
    ],
)
def test_loops_that_end(loop: str) -> None:
    head = "import sys\nfrom celery import shared_task\ndef take(n): return n[1]\n"
    source = head + f"@shared_task\ndef main(n): ...\n\ndef go(n):\n    {loop}\n"
    assert not audit("CEL207", source)
