"""What a task does in helpers and methods, as deep as they are written."""

from textwrap import dedent

import pytest

from tests.audit.helpers import audit, lines

HEAD = """
import time
import requests
from celery import shared_task
from django.db import transaction

@shared_task
def weigh(box): ...
"""


@pytest.mark.parametrize(
    ("code", "does"),
    [
        ("CEL301", "weigh.delay(x).get()"),
        ("CEL303", "time.sleep(30)"),
        ("CEL310", "requests.get(x)"),
    ],
)
@pytest.mark.parametrize(
    "way",
    [
        """
        def first(x):
            return second(x)
        def second(x):
            return third(x)
        def third(x):
            DOES
        """,
        """
        def first(x):
            for one in second(x):
                yield one
        def second(x):
            yield DOES
        """,
        """
        class Client:
            def __init__(self, x):
                self.load(x)
            def load(self, x):
                DOES
        def first(x):
            return Client(x)
        """,
        """
        class Base:
            def load(self, x):
                DOES
        class Client(Base):
            def ask(self, x):
                return super().load(x)
        def first(x):
            client = Client()
            return client.ask(x)
        """,
        """
        def second(x):
            DOES
        def first(x):
            return list(map(second, [x]))
        """,
        """
        class Ask:
            def __call__(self, x):
                DOES
        ask = Ask()
        def first(x):
            return ask(x)
        """,
    ],
)
def test_deep(code: str, does: str, way: str) -> None:
    source = (
        HEAD + dedent(way).replace("DOES", does) + "\n@shared_task\ndef main(x):\n    first(x)\n"
    )
    found = audit(code, source)
    assert lines(found) == [len(source.splitlines())]
    place = next(i for i, line in enumerate(source.splitlines(), 1) if does in line)
    assert found[0].related[0][:2] == ("tasks.py", place)


def test_each_place_is_told_once_in_a_file_and_cycles_end() -> None:
    source = (
        HEAD
        + """
def first(x):
    return second(x)

def second(x):
    if x:
        return first(x)
    requests.get(x)

@shared_task
def a(x):
    first(x)
    second(x)

@shared_task
def b(x):
    a(x)
"""
    )
    assert lines(audit("CEL310", source)) == [20]


def test_what_is_handed_over_to_run_later_is_not_followed() -> None:
    source = (
        HEAD
        + """
def tell(x):
    weigh.delay(x)

def nested(x):
    with transaction.atomic():
        weigh.delay(x)

def save(x):
    with transaction.atomic():
        x.save()
        transaction.on_commit(lambda: tell(x))
        later(x)
        nested(x)

def later(x):
    transaction.on_commit(lambda: tell(x))

def now(x):
    with transaction.atomic():
        x.save()
        deep(x)

def deep(x):
    deeper(x)

def deeper(x):
    tell(x)
"""
    )
    found = audit("CEL201", source)
    assert [(f.line, f.severity.label) for f in found] == [(15, "high"), (30, "medium")]
    assert "deep() -> deeper() -> tell() sends" in found[1].message
