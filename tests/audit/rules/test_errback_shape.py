import pytest

from tests.audit.helpers import audit, lines

TASKS = """
from celery import chord, shared_task

@shared_task
def work(x): ...

@shared_task
def one(task_id): ...

@shared_task
def two(request, exc): ...

@shared_task
def three(request, exc, traceback): ...

@shared_task
def four(request, exc, traceback, job): ...

@shared_task(bind=True)
def bound(self, task_id): ...

@shared_task(bind=True)
def bound_three(self, request, exc, traceback): ...

@shared_task
def nothing(): ...

@shared_task
def one_and_job(task_id, job): ...

@shared_task
def any_number(*args): ...
"""


@pytest.mark.parametrize(
    "errback",
    ["two.s()", "bound_three.s()", "nothing.s()", "three.s(1)", "four.s()", "one.si()"],
)
def test_what_does_not_fit(errback: str) -> None:
    found = audit("CEL407", TASKS + f"\nwork.apply_async((1,), link_error={errback})\n")
    assert lines(found) == [34]
    assert not found[0].doubt


@pytest.mark.parametrize(
    "errback",
    [
        *("one.s()", "three.s()", "four.s(7)", "bound.s()", "nothing.si()", "one.si(1)"),
        *("any_number.s()", "one_and_job.s(7)", "four.s(job=7)", "unknown.s()"),
        "any_number.s(*parts)",
    ],
)
def test_what_fits(errback: str) -> None:
    assert not audit("CEL407", TASKS + f"\nwork.s(1).on_error({errback})\n")


def test_lists_and_names() -> None:
    found = audit(
        "CEL407",
        TASKS
        + """
def run(xs):
    errors = [one.s(), two.s()]
    chord([work.s(x) for x in xs])(any_number.s().set(link_error=errors))
    any_number.s().set(link_error=[one.s(), one.s()])
""",
    )
    assert lines(found) == [35, 37]
    assert "twice" in found[1].message


def test_an_argument_that_lands_elsewhere() -> None:
    source = TASKS.replace("one_and_job(task_id, job)", "one_and_job(job, *args)").replace(
        "(self, task_id)", "(self, backup, *args)"
    )
    call = "\nbackup = job = 1\nwork.s(1).on_error({})\n"
    (found,) = audit("CEL407", source + call.format("bound.s(backup)"))
    assert "'backup'" in found.message
    assert lines(audit("CEL407", source + call.format("one_and_job.s(job)"))) == [35]
    assert not audit("CEL407", source + call.format("bound.si(backup)"))
    assert not audit("CEL407", TASKS + call.format("one_and_job.s(job)"))
    assert not audit("CEL407", TASKS + call.format("four.s(job)"))


def test_its_own_errback() -> None:
    (found,) = audit("CEL407", TASKS + "\nnothing.si().set(link_error=[nothing.si()])\n")
    assert "its own errback" in found.message
    assert found.doubt
