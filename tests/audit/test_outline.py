"""Canvases as far as the source tells them."""

from textwrap import dedent

import pytest

from offcanvas.audit.drawing import diagram, outline_tree
from offcanvas.audit.inventory import CanvasPlace, draw, take_stock
from offcanvas.audit.migration import effort
from offcanvas.audit.module import Module
from offcanvas.audit.verdict import verdicts
from tests.audit.helpers import module, project

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
        "chord\n  tasks.a\n  b (for each)\n  then chain\n    tasks.a (immutable)\n    b (perhaps)"
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


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        # lists from helpers
        (
            """
            def made(x):
                parts = []
                for i in x:
                    parts.append(a.s(i))
                return parts
            def f(x): chord(made(x))(b.s())
            """,
            "chord\n  tasks.a (for each)\n  then b",
        ),
        (
            """
            def made(x):
                for i in x:
                    yield a.s(i)
                if x:
                    yield b.s(1)
            def f(x):
                parts = list(made(x))
                group(*parts).delay()
            """,
            "group\n  tasks.a (for each)\n  b (perhaps)",
        ),
        (
            """
            def made(x):
                if not x:
                    return []
                return [a.s(i) for i in x]
            def f(x): group(made(x) + [b.s(1)]).delay()
            """,
            "group\n  tasks.a (for each)\n  b",
        ),
        (
            """
            class Work:
                def parts(self, x):
                    return [a.s(1), b.s(x)]
                def go(self, x):
                    chain(*self.parts(x)).delay()
            """,
            "chain\n  tasks.a\n  b",
        ),
        ("def f(x): group(map(a.s, x)).delay()", "group\n  tasks.a (for each)"),
        ("def f(x): group(map(lambda i: b.si(i), x))()", "group\n  b (for each, immutable)"),
        # a list that becomes its canvas
        (
            """
            def f(x):
                jobs = [a.s(i) for i in x]
                jobs = group(jobs)
                jobs.delay()
            """,
            "group\n  tasks.a (for each)",
        ),
        (
            """
            def f(x):
                jobs = []
                jobs.append(a.s(1))
                jobs.extend([b.s()])
                jobs.insert(0, a.s(0))
                jobs = chain(*jobs)
                jobs()
            """,
            "chain\n  tasks.a\n  tasks.a\n  b",
        ),
        # names used again
        (
            """
            def f(x):
                jobs = []
                job = a.s(1)
                jobs.append(job)
                job = b.s(2)
                jobs.append(job)
                group(jobs).delay()
                jobs = []
            """,
            "group\n  tasks.a\n  b",
        ),
        (
            """
            def f(x):
                jobs = [b.s(1)]
                group(jobs).delay()
                jobs = []
                for i in x:
                    job = a.s(i) if i else None
                    jobs.append(job)
            """,
            "group\n  b",
        ),
        # builders chosen by a condition
        (
            """
            def f(p, x):
                if p:
                    build = group
                else:
                    build = chain
                build([a.si(i) for i in x]).delay()
            """,
            "? chain or group, chosen when it runs\n  tasks.a (for each, immutable)",
        ),
        (
            "def f(p): {True: group, False: chain}[p](a.s(1), b.s()).delay()",
            "? chain or group, chosen when it runs\n  tasks.a\n  b",
        ),
        (
            """
            def f(p):
                first = a.s(1) if p else b.s(1)
                chain(first, b.s()).delay()
            """,
            "chain\n  ? one of several, chosen when it runs\n    tasks.a\n    b\n  b",
        ),
    ],
)
def test_members_that_have_to_be_followed(body: str, tree: str) -> None:
    assert trees(dedent(body)) == [tree]


def test_members_from_a_helper_in_another_file_stand_where_they_are_called() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/tasks.py": TASKS,
        "shop/parts.py": "from shop.tasks import a\n\n\n\ndef parts(x):\n"
        "    return [a.s(i) for i in x]\n",
        "shop/go.py": "from celery import chord\nfrom shop import parts\nfrom shop.tasks import b\n"
        "chord(parts.parts(3))(b.s())\n",
    }
    opened = Module.opened(project(files), "shop/go.py")
    assert opened is not None
    (canvas,) = opened.canvases
    assert [(p.name, p.line, p.repeated) for p in canvas.parts] == [("shop.tasks.a", 4, True)]


def test_a_choice_is_a_place_to_decide() -> None:
    source = TASKS + "def f(p, x): (group if p else chain)(a.si(i) for i in x).delay()\n"
    (canvas,) = module(source).canvases
    drawn = draw(canvas)
    assert canvas.is_canvas
    assert [v.word for v in verdicts(CanvasPlace("t.py", 1, "", "", drawn)).values()] == [
        "decide",
        "decide",
    ]
    assert "chosen when it runs" in diagram(drawn)
    assert effort(drawn).size == "large"
