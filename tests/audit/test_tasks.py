"""Every form in which Celery registers a task, and what only looks like one."""

import pytest

from offcanvas.audit.tasks import Task
from tests.audit.helpers import project


def only(source: str | dict[str, str]) -> Task:
    tasks = project(source).tasks
    assert len(tasks) == 1, [t.qualname for t in tasks]
    return tasks[0]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("from celery import shared_task\n@shared_task\ndef f(x): ...", "shared"),
        ("from celery import shared_task as job\n@job(bind=True)\ndef f(self, x): ...", "shared"),
        ("import celery\n@celery.shared_task()\ndef f(x): ...", "shared"),
        ("from celery.app import shared_task\n@shared_task\ndef f(x): ...", "shared"),
        ("import celery\napp = celery.Celery()\n@app.task\ndef f(x): ...", "app"),
        ("from celery import current_app\n@current_app.task\ndef f(x): ...", "app"),
        (
            "from celery import Celery\nclass My(Celery): ...\na = My()\n@a.task\ndef f(x): ...",
            "app",
        ),
        (
            (
                "from celery import Celery\ndef make():\n    app = Celery()\n    return app\n"
                "celery = make()\n@celery.task(name='x')\ndef f(x): ..."
            ),
            "app",
        ),
        (
            (
                "from celery import shared_task\ndef mine(**kw):\n"
                "    return shared_task(bind=True, **kw)\n@mine(queue='a')\ndef f(self, x): ..."
            ),
            "wrapper",
        ),
        (
            (
                "from celery import shared_task\ndef mine(fn):\n"
                "    return shared_task(bind=True)(fn)\n"
                "@mine\ndef f(self, x): ..."
            ),
            "wrapper",
        ),
        (
            (
                "from celery import shared_task\ndef mine(**kw):\n    def inner(fn):\n"
                "        return shared_task(bind=True, **kw)(fn)\n    return inner\n"
                "@mine(queue='a')\ndef f(self, x): ..."
            ),
            "wrapper",
        ),
        (
            (
                "from celery import shared_task\ndef mine(fn):\n    @shared_task(bind=True)\n"
                "    def wrapper(*a): return fn(*a)\n    return wrapper\n"
            ),
            "shared",
        ),
        (
            (
                "from functools import partial\nfrom celery import shared_task\n"
                "mine = partial(shared_task, bind=True)\n@mine\ndef f(self, x): ..."
            ),
            "wrapper",
        ),
        ("from celery import shared_task\ndef g(x): ...\nf = shared_task(g)\n", "call"),
        (
            (
                "from celery import Celery, Task\napp = Celery()\nclass F(Task):\n    name = 'f'\n"
                "    def run(self, x): ...\nf = app.register_task(F())\n"
            ),
            "class",
        ),
        (
            (
                "from celery import Celery\napp = Celery()\nclass F(app.Task):\n"
                "    def run(self, x): ...\ninstance = F()\napp.register_task(instance)\n"
            ),
            "class",
        ),
    ],
)
def test_forms(source: str, kind: str) -> None:
    task = only(source)
    assert task.kind == kind
    if "wrapper(*a)" not in source:
        assert task.params is not None
        assert [p.name for p in task.params.items] == ["x"]


@pytest.mark.parametrize(
    "source",
    [
        "from prefect import task\n@task\ndef f(): ...",
        "from invoke import task\n@task\ndef f(c): ...",
        "class app:\n    @staticmethod\n    def task(f): return f\n@app.task\ndef f(): ...",
        "from celery import Task\nclass Base(Task):\n    def run(self): ...\n",
        "def shared_task(f): return f\n@shared_task\ndef f(): ...",
    ],
)
def test_what_only_looks_like_a_task(source: str) -> None:
    assert project(source).tasks == []


def test_names_are_given_or_derived() -> None:
    files = {
        "src/shop/__init__.py": "",
        "src/shop/names.py": "MAIL = 'shop.mail'\n",
        "src/shop/tasks.py": (
            "from celery import shared_task\nfrom .names import MAIL\n"
            "@shared_task\ndef derived(): ...\n@shared_task(name=MAIL)\ndef given(): ...\n"
        ),
    }
    assert [t.name for t in project(files).tasks] == ["shop.tasks.derived", "shop.mail"]


def test_options_come_from_wrappers_and_bases_too() -> None:
    task = only(
        "from celery import Task, shared_task\n"
        "class Base(Task):\n    max_retries = 3\n    acks_late = True\n"
        "def mine(**kw):\n    return shared_task(base=Base, queue='slow', **kw)\n"
        "@mine(max_retries=5)\ndef f(): ...\n"
    )
    assert {k: task.literal(k) for k in ("max_retries", "acks_late", "queue")} == {
        "max_retries": 5,
        "acks_late": True,
        "queue": "slow",
    }


def test_an_app_that_is_re_exported_through_a_package() -> None:
    files = {
        "shop/__init__.py": "from .celery import app as celery_app\n",
        "shop/celery.py": "from celery import Celery\napp = Celery('shop')\n",
        "shop/mail.py": "from shop import celery_app\n@celery_app.task\ndef f(): ...\n",
    }
    assert only(files).name == "shop.mail.f"


def test_a_star_import() -> None:
    files = {
        "base.py": "from celery import *\n",
        "tasks.py": "from base import *\n@shared_task\ndef f(): ...\n",
    }
    assert only(files).kind == "shared"


def test_an_app_that_is_annotated() -> None:
    found = project(
        """
        from celery import Celery
        from patches import patched

        app: Celery = patched().Celery("shop")
        app.conf.task_acks_late = True

        @app.task
        def one(x): ...
        """
    )
    assert [t.kind for t in found.tasks] == ["app"]
    assert found.settings.is_on("task_acks_late")
