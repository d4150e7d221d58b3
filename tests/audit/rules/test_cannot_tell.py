from offcanvas.audit.finding import Severity
from tests.audit.helpers import audit, lines

TASKS = """
from celery import chain, chord, group, shared_task

@shared_task
def one(x): ...
"""


def test_members_from_elsewhere() -> None:
    found = audit(
        "CEL000",
        TASKS
        + """
def run(sigs, parallel, settings):
    group(sigs)()
    chain(one.s(1), settings["next"])()
    make = group if parallel else chain
    chord([one.s(1)])(settings.body)
""",
    )
    assert lines(found) == [8, 9, 11]
    assert {f.severity for f in found} == {Severity.PORTING}


def test_members_that_can_be_followed() -> None:
    assert not audit(
        "CEL000",
        TASKS
        + """
def finish():
    return one.si(0)

def run(items):
    header = []
    for item in items:
        header.append(one.s(item))
    chord(header)(finish())
    first = one.s(1)
    chain(first, group(one.s(i) for i in items), *[one.s(i) for i in items])
""",
    )


def test_a_function_that_is_no_task() -> None:
    found = audit(
        "CEL000",
        TASKS
        + """
def plain(x): ...

chain(one.s(1), plain.s().set(queue="q"))
""",
    )
    assert found[0].message.endswith("tasks.plain is a function, not a task")


def test_a_decorator_of_an_unknown_object() -> None:
    found = audit(
        "CEL000",
        """
        from celery import Celery
        from vendor import jobs

        @jobs.task
        def perhaps(): ...

        @jobs.other
        def no_task(): ...
        """,
    )
    assert lines(found) == [6]
    assert "perhaps" in found[0].message
