import pytest

from tests.audit.helpers import audit, lines

TASKS = """
from celery import chain, chord, group, shared_task
import itertools

@shared_task
def start(): ...

@shared_task
def one(x): ...

@shared_task(bind=True)
def two(self, x, y): ...

@shared_task
def any_number(*args): ...
"""


def test_too_many_and_too_few() -> None:
    found = audit(
        "CEL406",
        TASKS
        + """
chain(start.s(), one.s(5))
start.si() | two.si(1)
chord([start.s()])(start.s())
chord([start.s()], two.s())
""",
    )
    assert lines(found) == [17, 18, 19, 20]
    assert found[0].message.endswith("use .si()")
    assert ".s() would pass it" in found[1].message


def test_what_fits() -> None:
    assert not audit(
        "CEL406",
        TASKS
        + """
chain(start.s(), one.s(), two.s(1), any_number.s(1, 2), one.si(3))
chain(group(one.s(1), one.s(2)), one.s())
chain([start.s(), one.s()])
itertools.chain(start.s(), one.s(5))
args = (1, 2)
chain(start.s(), one.s(*args))
""",
    )


def test_what_may_come_first() -> None:
    assert not audit(
        "CEL406",
        TASKS
        + """
def build(p):
    steps = []
    if p:
        steps.append(start.si())
    steps.append(one.s(1))
    return chain(*steps)
""",
    )


def test_a_chain_that_is_grown() -> None:
    found = audit(
        "CEL406",
        TASKS
        + """
def build(p):
    work = start.s()
    if p:
        work |= one.s(1)
    work = work | two.s(3)
    return work
""",
    )
    assert lines(found) == [20]


@pytest.mark.parametrize(
    ("decorator", "severities"),
    [
        ("", ["high"]),
        ("@other", ["medium"]),
        ("@with_session", []),
        ("@pops", []),
        ("@plain", ["medium"]),
    ],
)
@pytest.mark.parametrize(
    ("code", "use"),
    [("CEL406", "chain(first.s(), save.s(1)).delay()"), ("CEL311", "save.delay(1, 2)")],
)
def test_decorated_tasks_may_get_other_arguments(
    decorator: str, severities: list[str], code: str, use: str
) -> None:
    source = f"""
from functools import wraps
from celery import chain, shared_task
from elsewhere import other

def with_session(func):
    @wraps(func)
    def inner(*args, **kwargs):
        return func(connect(), *args, **kwargs)
    return inner

def pops(func):
    def inner(*args, **kwargs):
        kwargs.pop("b", None)
        return func(*args, **kwargs)
    return inner

def plain(func):
    @wraps(func)
    def inner(*args, **kwargs):
        return func(*args, **kwargs)
    return inner

@shared_task
def first(): ...

@shared_task
{decorator}
def save(a): ...

{use}
"""
    assert [f.severity.label for f in audit(code, source)] == severities
