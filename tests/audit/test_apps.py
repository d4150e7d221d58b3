"""What is a Celery app: by its class, by where it is kept, and by what is done with it."""

from textwrap import dedent

import pytest

from tests.audit.helpers import audit, project

TASK = "import requests\n\n@{}\ndef fetch(url):\n    requests.get(url)\n"


def names(files: str | dict[str, str]) -> list[str]:
    return [t.name for t in project(files).tasks]


@pytest.mark.parametrize(
    ("app", "decorator"),
    [
        # a subclass with a `task` of its own, in several ways to hand over
        (
            """
            from celery import Celery
            class Loud(Celery):
                def task(self, *args, **options):
                    return super().task(*args, **options)
            app = Loud()
            """,
            "app.task(bind=False)",
        ),
        (
            """
            from celery import Celery
            class Loud(Celery):
                def task(self, *args, **options):
                    made = super(Loud, self).task(*args, **{**options, "acks_late": True})
                    return made
            class Louder(Loud):
                pass
            app = Louder("shop")
            """,
            "app.task",
        ),
        (
            """
            from celery import Celery
            class Loud(Celery):
                def task(self, *args, **options):
                    def wrap(func):
                        return Celery.task(self, **options)(func)
                    return wrap
            app = Loud("shop")
            """,
            "app.task()",
        ),
        # a class from a library, known by what is done with its object
        (
            """
            from tenants import TenantApp
            app = TenantApp("shop")
            app.config_from_object("shop.settings")
            """,
            "app.task",
        ),
        (
            """
            import tenants
            app = tenants.make("shop")
            app.autodiscover_tasks()
            """,
            "app.task(name='fetch')",
        ),
        (
            """
            from tenants import TenantApp
            class Ours(TenantApp):
                pass
            app = Ours("shop")
            app.conf.task_acks_late = True
            """,
            "app.task",
        ),
        (
            """
            from tenants import TenantApp
            app = TenantApp("shop")
            app.conf.update(task_serializer="json")
            """,
            "app.task",
        ),
        (
            """
            from django.utils.module_loading import import_string
            app = import_string("shop.apps.Main")("shop")
            app.config_from_object("django.conf:settings", namespace="CELERY")
            """,
            "app.task(bind=True)",
        ),
        # one that only decorates: with options that no other library has, or by its name
        ("from company.platform import app", "app.task(acks_late=True)"),
        ("from company.celery import app", "app.task"),
        ("from company import celery_app as app", "app.task"),
        ("import company\napp = company.celery", "app.task"),
        # factories
        (
            """
            from celery import Celery
            def make() -> Celery:
                made = Celery("shop")
                return made
            app = make()
            """,
            "app.task",
        ),
        # kept in an attribute, a dictionary, Flask's extensions
        (
            """
            from celery import Celery
            class Holder:
                def __init__(self):
                    self.app = Celery("shop")
            holder = Holder()
            """,
            "holder.app.task",
        ),
        (
            """
            from celery import Celery
            class Holder:
                app = Celery("shop")
            """,
            "Holder.app.task",
        ),
        (
            """
            from celery import Celery
            apps = {"main": Celery("shop")}
            """,
            'apps["main"].task(bind=False)',
        ),
        (
            """
            from celery import Celery
            apps = {}
            apps["main"] = Celery("shop")
            """,
            'apps["main"].task',
        ),
        (
            """
            from celery import Celery
            from flask import Flask, current_app
            def create():
                flask = Flask("shop")
                flask.extensions["celery"] = Celery("shop")
                return flask
            """,
            'current_app.extensions["celery"].task',
        ),
        ("from celery import current_app", "current_app.task"),
        (
            """
            import celery
            app = celery.current_app._get_current_object() if 0 else celery.current_app
            """,
            "app.task",
        ),
    ],
)
def test_an_app(app: str, decorator: str) -> None:
    source = dedent(app) + "\n" + TASK.format(decorator)
    assert len(names(source)) == 1
    assert [f.line for f in audit("CEL310", source)] == [len(source.splitlines())]


def test_in_a_function_that_is_handed_the_app() -> None:
    source = """
    from celery import Celery

    def register(app: Celery, other):
        @app.task
        def fetch(url): ...

        @other.task
        def grind(lot): ...
    """
    assert [t.function for t in project(source).tasks] == ["register.fetch"]
    assert [u.what for u in project(source).unclear] == ["register.grind"]


@pytest.mark.parametrize(
    ("owner", "decorator"),
    [
        ("from huey import RedisHuey\napp = RedisHuey('celery')", "app.task(retries=2)"),
        ("from procrastinate import App\napp = App()", "app.task(queue='x')"),
        ("from prefect import task", "task(retries=3)"),
        ("import celery\nclass Board:\n    def task(self, f): return f\napp = Board()", "app.task"),
        ("import celery\nfrom plain import app", "app.task"),
    ],
)
def test_not_an_app(owner: str, decorator: str) -> None:
    assert names(f"{owner}\n" + TASK.format(decorator)) == []


def test_a_file_that_never_says_celery() -> None:
    files = {
        "oven/__init__.py": "",
        "oven/base.py": "from celery import Celery\napp = Celery('oven')\n",
        "oven/bread.py": TASK.format("app.task").replace(
            "import", "from oven.base import app\nimport"
        ),
        "oven/rolls.py": """
        from oven.base import app

        class Roll(app.Task):
            def run(self, dough):
                return dough

        app.register_task(Roll)
        """,
    }
    assert names(files) == ["oven.bread.fetch", "oven.rolls.Roll"]


def test_the_base_of_every_task_of_an_app() -> None:
    source = """
    from celery import Celery, Task
    class Context(Task):
        time_limit = 60
    app = Celery("shop")
    app.Task = Context

    @app.task
    def a(): ...

    @app.task(base=Task)
    def b(): ...
    """
    assert [t.base for t in project(source).tasks] == ["tasks.Context", "celery.Task"]
    assert audit("CEL104", source)[0].message.startswith("tasks.b has")
    given = source.replace('Celery("shop")', 'Celery("shop", task_cls="tasks:Context")')
    assert project(given.replace("app.Task = Context", "")).tasks[0].base == "tasks.Context"
