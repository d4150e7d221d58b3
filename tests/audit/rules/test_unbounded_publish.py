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
