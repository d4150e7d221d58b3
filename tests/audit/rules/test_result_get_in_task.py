import pytest

from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASK = """
from celery import shared_task, group
from celery.result import AsyncResult

@shared_task
def sub(n): ...
"""


def test_waits_through_variables_lists_and_canvases() -> None:
    found = audit(
        "CEL301",
        TASK
        + """
@shared_task
def main(job_id):
    pending = sub.delay(1)
    pending.get()
    waiting = [sub.delay(n) for n in range(3)]
    for one in waiting:
        one.get(disable_sync_subtasks=False)
    group(sub.s(n) for n in range(3))().join()
    AsyncResult(job_id).wait()
""",
    )
    assert lines(found) == [11, 14, 15, 16]
    assert "only silences" in found[1].message


def test_one_helper_away() -> None:
    found = audit(
        "CEL301",
        TASK
        + """
def wait_for(result: AsyncResult):
    return result.get(timeout=5)

@shared_task
def main():
    return wait_for(sub.delay(1))
""",
    )
    assert lines(found) == [13]
    assert found[0].related == (("tasks.py", 9, "waits here"),)


def test_a_dictionary_and_a_view_are_fine() -> None:
    assert not audit(
        "CEL301",
        TASK
        + """
@shared_task
def main(result):
    result = {"a": 1}
    return result.get("a")

def view():
    return sub.delay(1).get(timeout=3)
""",
    )


def test_apply_runs_in_place() -> None:
    assert not audit(
        "CEL301",
        TASK
        + """
@shared_task
def main():
    return sub.apply((1,)).get()
""",
    )


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("if not r.ready():\n        raise self.retry()\n    return r.get()", Severity.LOW),
        ("if r.ready():\n        return r.get()", Severity.LOW),
        ("if r.successful() and n:\n        return r.get()", Severity.LOW),
        ('if r.state == "SUCCESS":\n        return r.get()', Severity.LOW),
        ("if not r.ready():\n        print(1)\n    return r.get()", Severity.HIGH),
        ("if not other.ready():\n        raise self.retry()\n    return r.get()", Severity.HIGH),
    ],
)
def test_a_result_that_is_known_to_be_ready(body: str, severity: Severity) -> None:
    source = f"""
from celery import shared_task
from celery.result import AsyncResult

@shared_task(bind=True)
def main(self, key, n, other):
    r = AsyncResult(key)
    {body}
"""
    assert [f.severity for f in audit("CEL301", source)] == [severity]
