import pytest

from tests.audit.helpers import audit, lines

TASKS = """
from celery import chord, group, shared_task

@shared_task
def one(x): ...

@shared_task
def total(xs): ...
"""


def test_filtered_items() -> None:
    found = audit(
        "CEL404",
        TASKS
        + """
def run(items, Model):
    chord([one.s(i) for i in items if i > 3])(total.s())

def ask(Model):
    rows = Model.objects.filter(open=True)
    chord(group(one.s(r.pk) for r in rows), total.s()).delay()
""",
    )
    assert lines(found) == [11, 15]
    assert not any(f.doubt for f in found)


def test_any_list_is_a_doubt() -> None:
    (found,) = audit(
        "CEL404", TASKS + "def run(xs):\n    chord([one.s(x) for x in xs])(total.s())\n"
    )
    assert found.doubt


def test_appended_in_a_loop() -> None:
    found = audit(
        "CEL404",
        TASKS
        + """
def run(items):
    header = []
    for item in items:
        header.append(one.s(item))
    chord(header)(total.s())
""",
    )
    assert lines(found) == [14]


def test_what_cannot_be_empty() -> None:
    assert not audit(
        "CEL404",
        TASKS
        + """
def run(xs):
    chord([one.s(x) for x in (1, 2)])(total.s())
    chord([one.s(x) for x in range(10)])(total.s())
    chord([one.s(0), *[one.s(x) for x in xs]])(total.s())
    group(one.s(x) for x in xs).delay()
""",
    )


def test_what_is_looked_at() -> None:
    assert not audit(
        "CEL404",
        TASKS
        + """
def run(xs):
    if not xs:
        return
    chord([one.s(x) for x in xs])(total.s())

def other(xs):
    header = [one.s(x) for x in xs if x]
    if len(header) > 0:
        chord(header)(total.s())
""",
    )


def test_a_chord_in_the_loop_that_fills_it() -> None:
    assert not audit(
        "CEL404",
        TASKS
        + """
def run(xs, last):
    header = []
    for x in xs:
        header.append(one.s(x))
        if last:
            chord(header)(total.s())
""",
    )


@pytest.mark.parametrize(
    ("items", "severity"),
    [
        ("batch(ids, 100)", "low"),
        ("batch(list(ids), size=100)", "low"),
        ("enumerate(Stall.objects.exclude(open=True))", "low"),
        ("batch(given, 100)", "porting"),
        ("given", "porting"),
    ],
)
def test_what_a_query_may_not_find_is_no_doubt(items: str, severity: str) -> None:
    source = f"""
from celery import chord, shared_task
from django.db import models
from batches import batch

class Stall(models.Model): ...

@shared_task
def clean(ids): ...

@shared_task
def close(results): ...

def end(given):
    ids = Stall.objects.filter(open=False).values_list("id", flat=True)
    chord([clean.si(part) for part in {items}])(close.s())
"""
    assert [f.severity.label for f in audit("CEL404", source)] == [severity]
