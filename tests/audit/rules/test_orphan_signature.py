from tests.audit.helpers import audit, lines

TASKS = """
import pytest
from celery import chain, group, shared_task

@shared_task
def one(x): ...
"""


def test_dropped_signatures() -> None:
    found = audit(
        "CEL401",
        TASKS
        + """
@shared_task
def work(x):
    one.si(x)
    one.s(x) | one.s()
    unused = chain(one.s(1), one.s())
    one.s(x).on_error(one.s())

def outside():
    group(one.s(1))
""",
    )
    assert lines(found) == [10, 11, 12, 13, 16]
    assert [e.text for f in found for e in f.edits] == [
        "one.si(x).delay()",
        "(one.s(x) | one.s()).delay()",
        "one.s(x).on_error(one.s()).delay()",
    ]


def test_returned_by_a_task() -> None:
    found = audit(
        "CEL401",
        TASKS
        + """
@shared_task(bind=True)
def bound(self, x):
    return one.si(x)

@shared_task
def unbound(x):
    canvas = chain(one.s(x), one.s())
    return canvas
""",
    )
    assert lines(found) == [10, 15]
    assert [[e.text for e in f.edits] for f in found] == [["self.replace(one.si(x))"], []]


def test_what_is_used() -> None:
    assert not audit(
        "CEL401",
        TASKS
        + """
def build(x):
    return one.si(x)

@shared_task(bind=True)
def work(self, x, flags, mask):
    flags | mask
    canvas = chain(one.s(1), one.s())
    canvas.set(queue="q")
    canvas.on_error(one.s())
    canvas()
    chain(one.s(1), one.s())()
    group(one.s(1)).delay()
    build(x)
    later = one.s(1)
    def inner():
        return later
    inner().delay()
    if x:
        return self.replace(one.si(x))
    return one.s(1).apply_async().id

def test_refuses():
    with pytest.raises(TypeError):
        one.s(1)
""",
    )
