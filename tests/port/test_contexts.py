"""What the class of a task has around its body: around the step too, or a todo."""

from pathlib import Path

import pytest

from tests.port.project import Folder

WEB = """
from contextlib import contextmanager
from celery import Celery

class App:
    made = 0

    def __init__(self, name: str) -> None:
        App.made += 1
        self.import_name = name
        self.config: dict[str, str] = {}

    @contextmanager
    def app_context(self):
        print(f"into {self.import_name}")
        yield
        print(f"out of {self.import_name}")

def create_app(name: str = "web") -> App:
    return App(name)

def create_celery_app() -> Celery:
    app = create_app()
    celery = Celery(app.import_name, broker=app.config.get("broker", "memory://"))
    celery.conf.update(app.config)
    Base = celery.Task

    class ContextTask(Base):
        \"\"\"With the app.\"\"\"

        abstract = True

        def __call__(self, *args, **kwargs):
            \"\"\"In its context.\"\"\"
            CALL

    celery.Task = ContextTask
    return celery
"""
JOBS = """
from celery import chain
from web import create_celery_app

celery = create_celery_app()

@celery.task
def one(x: int) -> int:
    print(f"one of {x}")
    return x

@celery.task(time_limit=30)
def two(x: int) -> int:
    return x

def both(x: int):
    return chain(one.s(x), two.s())
"""
USUAL = """with app.app_context():
                return Base.__call__(self, *args, **kwargs)"""


def _jobs(path: Path, call: str) -> Folder:
    folder = Folder(path)
    folder.write("web.py", WEB.replace("CALL", call))
    folder.write("jobs.py", JOBS)
    return folder


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_context_that_a_function_makes_for_itself(tmp_path: Path, engine: str) -> None:
    folder = _jobs(tmp_path, USUAL)
    ended = folder.port("jobs:both", "--to", engine, "--sample", '{"x": 1}')
    assert ended.code == 1, ended.err
    assert "todo" not in ended.out
    said = "PORT152 decide: jobs.one: with app.app_context(), of create_celery_app.ContextTask"
    assert said in ended.out
    file = "activities" if engine == "temporal" else "tasks"
    steps = (tmp_path / f"jobs_{engine}/{file}.py").read_text()
    assert "return in_context(work.one)(x)" in steps
    assert "limited(in_context(work.two), hard=30)(x)" in steps
    tried = f"""
import web, work
from jobs_{engine}.context import in_context
print([in_context(work.one)(3), in_context(work.one)(4)], web.App.made)
"""
    lines = folder.run("-c", tried).out.splitlines()
    assert lines[:3] == ["into web", "one of 3", "out of web"]
    assert lines[-1] == "[3, 4] 1"


@pytest.mark.parametrize(
    "call",
    [
        "with app.app_context():\n                return self.run(*args, **kwargs)",
        "with app.app_context():\n                return super().__call__(*args, **kwargs)",
    ],
)
def test_other_words_for_the_body(tmp_path: Path, call: str) -> None:
    ended = _jobs(tmp_path, call).port("jobs:both", "--to", "temporal")
    assert "todo" not in ended.out
    assert "PORT152" in ended.out


@pytest.mark.parametrize(
    "call",
    [
        "print(args)\n            return Base.__call__(self, *args, **kwargs)",
        "with app.app_context():\n                self.run(*args, **kwargs)",
        "with app.app_context() as context:\n                return self.run(*args, **kwargs)",
        "with app.app_context():\n                return self.run(*args[1:], **kwargs)",
        "with app.app_context(self):\n                return self.run(*args, **kwargs)",
        # The app is not what it was made as: it has been handed on.
        f"{USUAL}\n\n    celery.conf.update(vars(app))",
        f"{USUAL}\n\n    app.config.update(x=1)\n    app.setup()",
    ],
)
def test_what_is_more_than_a_context_is_yours_to_write(tmp_path: Path, call: str) -> None:
    ended = _jobs(tmp_path, call).port("jobs:both", "--to", "temporal")
    assert ended.code == 1, ended.err
    assert "PORT217 todo: jobs.one: what create_celery_app.ContextTask.__call__" in ended.out
    assert not (tmp_path / "jobs_temporal/context.py").exists()


def test_a_context_of_a_module(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    made = WEB.partition("def create_celery_app")[0]
    folder.write("web.py", f"{made}\n\nAPP = create_app('global')\n")
    own = """
from celery import Celery, Task
from web import APP

celery = Celery("jobs", broker="memory://")

class InApp(Task):
    def __call__(self, *args, **kwargs):
        with APP.app_context():
            return self.run(*args, **kwargs)
"""
    body = JOBS.partition("celery = create_celery_app()")[2].replace("task\n", "task(base=InApp)\n")
    folder.write("jobs.py", f"from celery import chain\n{own}\n{body}")
    ended = folder.port("jobs:both", "--to", "prefect")
    assert "todo" not in ended.out
    context = (tmp_path / "jobs_prefect/context.py").read_text()
    assert "from web import APP" in context
    assert "with APP.app_context():" in context
    assert "cache" not in context
    both = folder.port("jobs:both", "--to", "prefect", "--out", "called", "--bodies", "call")
    assert both.code == 1, both.err
    assert "in_context(jobs.one.run)(x)" in (tmp_path / "called/tasks.py").read_text()


INIT = """
from celery import Celery, Task

def celery_init_app(app) -> Celery:
    class FlaskTask(Task):
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    made = Celery(app.import_name, task_cls=FlaskTask)
    made.set_default()
    return made
"""
FACTORY = """
from web import App
from web.init import celery_init_app

def create_app(name: str = "factory") -> App:
    app = App(name)
    celery_init_app(app)
    return app
"""
AT_TOP = """
from web import App
from web.init import celery_init_app

flask = App("top")
celery = celery_init_app(flask)
"""
SHARED = """
from celery import chain, shared_task

@shared_task
def one(x: int) -> int:
    print(f"one of {x}")
    return x

def both(x: int):
    return chain(one.s(x), one.s())
"""


@pytest.mark.parametrize(
    ("start", "name"), [(FACTORY, "factory"), (AT_TOP, "top"), (FACTORY + AT_TOP, "")]
)
def test_an_app_that_is_handed_in(tmp_path: Path, start: str, name: str) -> None:
    folder = Folder(tmp_path)
    folder.write("web/__init__.py", WEB.partition("def create_app(")[0])
    folder.write("web/init.py", INIT)
    folder.write("start.py", start)
    folder.write("jobs.py", SHARED)
    ended = folder.port("jobs:both", "--to", "temporal")
    assert ended.code == 1, ended.err
    if not name:  # two calls, and either may be meant
        assert "PORT217 todo: jobs.one: what celery_init_app.FlaskTask.__call__" in ended.out
        return
    assert "PORT152" in ended.out
    tried = """
import work
from jobs_temporal.context import in_context
print([in_context(work.one)(3), in_context(work.one)(4)])
"""
    lines = folder.run("-c", tried).out.splitlines()
    assert lines[:3] == [f"into {name}", "one of 3", f"out of {name}"]
    assert lines[-1] == "[3, 4]"


def test_apps_whose_tasks_have_different_classes(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    made = WEB.replace("CALL", USUAL)
    folder.write("web.py", made)
    folder.write("shop.py", made.replace("ContextTask", "ShopTask").replace('"web"', '"shop"'))
    named = (
        "from web import APP, celery\nfrom celery import Task, chain\n\n"
        """
class Named(Task):
    def __call__(self, *args, **kwargs):
        with APP.app_context():
            return self.run(*args, **kwargs)
"""
    )
    body = JOBS.partition("celery = create_celery_app()")[2]
    folder.write("web.py", f"{made}\n\nAPP = create_app()\ncelery = create_celery_app()\n")
    folder.write("jobs.py", named + body.replace("(time_limit=30)", "(base=Named)"))
    ended = folder.port("jobs:both", "--to", "temporal")
    assert ended.code == 1, ended.err
    said = "create_celery_app.ShopTask.__call__, create_celery_app.ContextTask.__call__"
    assert f"PORT217 todo: jobs.one: what {said} of its class are for" in ended.out
    assert "PORT152 decide: jobs.two: with APP.app_context(), of Named" in ended.out
