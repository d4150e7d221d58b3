"""Canvases as far as the source tells them."""

import pytest

from offcanvas.audit.drawing import outline_tree
from offcanvas.audit.inventory import draw, take_stock
from tests.audit.helpers import module

TASKS = """
from celery import chain, chord, group, shared_task, signature
import itertools

@shared_task
def a(x=None): ...

@shared_task(name="b")
def b(x): ...
"""


def trees(source: str) -> list[str]:
    return [outline_tree(draw(o)) for o in module(TASKS + source).canvases]


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("chain(a.s(1), b.si(2))", "chain\n  tasks.a\n  b (immutable)"),
        ("a.s(1) | b.s() | a.s()", "chain\n  tasks.a\n  b\n  tasks.a"),
        ("group(a.s(i) for i in y)", "group\n  tasks.a (for each)"),
        ("chord([a.s(1)])(b.s())", "chord\n  tasks.a\n  then b"),
        ("chord(header=group([a.s(1)]), body=b.s())", "chord\n  tasks.a\n  then b"),
        (
            "chord([a.s()], b.s().on_error(a.s()))",
            "chord\n  tasks.a\n  then b (with error callback)",
        ),
        ("chain(*[a.s(), b.s()])", "chain\n  tasks.a\n  b"),
        ("chain(signature('b', (1,), immutable=True), a.s())", "chain\n  b (immutable)\n  tasks.a"),
        ("a.starmap([(1,), (2,)])", "starmap of tasks.a"),
        ("chain(a.s(), group(b.s(), b.s()))", "chain\n  tasks.a\n  group\n    b\n    b"),
        ("chain(a.s(), later)", "chain\n  tasks.a\n  ? 'later' is not resolved"),
    ],
)
def test_expressions(source: str, tree: str) -> None:
    assert trees(f"def f(y, later):\n    {source}\n") == [tree]


def test_members_gathered_over_many_lines() -> None:
    source = """
def f(items, more):
    header = [a.s(0)]
    for item in items:
        header.append(b.s(item))
    done = a.si()
    if more:
        done |= b.s()
    work = chord(header)
    work(done)
"""
    assert trees(source) == [
        "chord\n  tasks.a\n  b (for each)\n  then chain\n    tasks.a (immutable)\n    b"
    ]


def test_built_by_a_function_one_call_away() -> None:
    source = "def build(x):\n    return chain(a.s(x), b.s())\ndef f():\n    group([build(1)])()\n"
    assert trees(source)[-1] == "group\n  chain\n    tasks.a\n    b"


@pytest.mark.parametrize(
    "source",
    [
        "itertools.chain(a.s(1), b.s(2))",
        "x = {}\nx.get('a') | x.get('b')",
        "def group(*xs): ...\ngroup(a.s(1))",
        "class Chunked:\n    def chunks(self): ...\nChunked().chunks()",
        "1 | 2",
    ],
)
def test_what_only_looks_like_a_canvas(source: str) -> None:
    assert trees(source) == []


def test_what_is_counted() -> None:
    uses = take_stock(
        module(
            TASKS + "def f(p):\n    make = group if p else chain\n    make(a.s(1))\n"
            "    (a.s() | b.s()).apply_async(countdown=3, link_error=a.s())\n"
            "    chord([a.si()])(b.s().on_error(a.s()))\n"
        )
    ).uses
    assert {
        k: uses[k] for k in ("group", "chain", "chord", "pipe", "si", "on_error", "countdown")
    } == {
        "group": 1,
        "chain": 1,
        "chord": 1,
        "pipe": 1,
        "si": 1,
        "on_error": 1,
        "countdown": 1,
    }


def test_a_list_that_begins_as_none() -> None:
    (outline,) = module(
        """
        from celery import chain, shared_task

        @shared_task
        def one(x): ...

        def later(keys):
            tasks = None
            if keys:
                tasks = [one.s(1), one.s()]
            chain(tasks).delay()
        """
    ).canvases
    assert [part.kind for part in outline.parts] == ["task", "task"]
