from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
import time
from celery import shared_task
from celery.result import AsyncResult, allow_join_result

@shared_task
def part(n): ...
"""


def test_guard_lifted() -> None:
    found = audit(
        "CEL302",
        TASKS
        + """
@shared_task
def whole(n):
    with allow_join_result():
        part.delay(n).get()

def helper(n):
    with allow_join_result():
        return part.delay(n).get()
""",
    )
    assert [(f.line, f.severity) for f in found] == [(11, Severity.HIGH), (15, Severity.MEDIUM)]


def test_polls_in_the_test_and_before_a_break() -> None:
    found = audit(
        "CEL302",
        TASKS
        + """
@shared_task
def whole(job_id):
    job = part.delay(1)
    while not job.ready():
        time.sleep(1)
    while True:
        if AsyncResult(job_id).state == "SUCCESS":
            break
""",
    )
    assert lines(found) == [12, 14]


def test_polls_elsewhere_are_fine_when_they_end() -> None:
    found = audit(
        "CEL302",
        TASKS
        + """
def bounded():
    job = part.delay(1)
    waited = 0
    while not job.ready() and waited < 60:
        waited += 1
    while not job.ready():
        if waited > 70:
            raise TimeoutError
    while not job.ready():
        time.sleep(1)

@shared_task
def of_something_else(job):
    while not job.ready():
        time.sleep(1)
    while job.state != "done":
        time.sleep(1)
""",
    )
    assert [(f.line, f.severity) for f in found] == [(17, Severity.MEDIUM)]


def test_views_may_wait() -> None:
    source = """
from celery import shared_task
from celery.result import AsyncResult, allow_join_result
from django.views import View
from shop import app

class Status(View):
    def get(self, request):
        with allow_join_result():
            return AsyncResult("x").get()

@app.route("/wait")
def wait(key):
    while not AsyncResult(key).ready():
        pass

def page(request, key):
    with allow_join_result():
        return AsyncResult(key).get()

def helper(key):
    with allow_join_result():
        return AsyncResult(key).get()
"""
    found = audit("CEL302", source)
    assert lines(found) == [22]
    assert found[0].doubt
