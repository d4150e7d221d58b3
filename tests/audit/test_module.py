"""What names stand for, and what objects are."""

import ast

import pytest

from offcanvas.audit.module import Module
from tests.audit.helpers import module, project

HEAD = """
from celery import Celery, Task, shared_task
from celery.result import AsyncResult
from django.db import transaction as tx

app = Celery()

class Base(Task):
    def helper(self): ...

@shared_task
def a(x): ...

@shared_task(bind=True, base=Base)
def bound(me, x):
    PLACE
"""


def last_call(opened: Module) -> ast.Call:
    return max(opened.walk(ast.Call), key=lambda c: (c.lineno, -c.col_offset))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("a.delay(1)", "celery.Task.delay"),
        ("me.retry()", "celery.Task.retry"),
        ("me.helper()", "tasks.Base.helper"),
        ("app.send_task('x')", "celery.Celery.send_task"),
        ("a.s(1).apply_async()", "celery.Signature.apply_async"),
        ("a.delay(1).get()", "celery.result.AsyncResult.get"),
        ("AsyncResult(x).get()", "celery.result.AsyncResult.get"),
        ("tx.on_commit(x)", "django.db.transaction.on_commit"),
        ("open(x)", "builtins.open"),
        ("x.get()", None),
        ("{}.get(1)", None),
        ("(lambda: 1)()", None),
    ],
)
def test_names(code: str, name: str | None) -> None:
    opened = module(HEAD.replace("PLACE", code))
    assert opened.name(last_call(opened).func) == name


def test_both_names_of_a_choice() -> None:
    opened = module(
        "from celery import chain, group\ndef f(p):\n    g = chain if p else group\n    g()\n"
    )
    assert opened.names(last_call(opened).func) == {"celery.chain", "celery.group"}


def test_a_local_name_hides_an_import() -> None:
    opened = module("from celery import group\ndef f(group):\n    group()\n")
    assert opened.name(last_call(opened).func) is None


def test_imports_inside_of_functions_and_circles() -> None:
    sources = {
        "one.py": "from two import thing\n",
        "two.py": "from one import thing\n",
        "three.py": "from one import thing\n"
        "def f():\n    from celery import chain as c\n    c()\n    thing()\n",
    }
    opened = Module.opened(project(sources), "three.py")
    assert opened is not None
    names = [opened.name(c.func) for c in opened.walk(ast.Call)]
    assert names[0] == "celery.chain"
    assert names[1] is not None


def test_where_a_node_stands() -> None:
    opened = module(
        "from celery import shared_task\n@shared_task\ndef f(xs):\n"
        "    def inner():\n        for x in xs:\n            print(x)\n    inner()\n"
    )
    call = next(c for c in opened.walk(ast.Call) if opened.name(c.func) == "builtins.print")
    function = opened.function(call)
    assert function is not None
    assert function.qualname == "f.inner"
    task = opened.task_around(call)
    assert task is not None
    assert task.name == "tasks.f"
    assert isinstance(opened.loop_around(call), ast.For)
    assert opened.loop_around(opened.functions[1].node) is None


def test_constants_are_followed() -> None:
    opened = module("MINUTE = 60\ndef f():\n    wait = MINUTE\n    g(wait, 2 * 30, 'a')\n")
    call = last_call(opened)
    assert [opened.literal(a) for a in call.args] == [60, 60, "a"]


def test_a_sum_of_thousand_terms() -> None:
    opened = module("x = " + " + ".join(["1"] * 900) + "\ny = " + " | ".join(["z"] * 900) + "\n")
    assert opened.canvases == []
