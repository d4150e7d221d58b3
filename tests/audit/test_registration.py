"""Tasks that are made by decorators of a project's own, and classes that are registered."""

from textwrap import dedent

import pytest

from offcanvas.audit.tasks import Task
from tests.audit.helpers import audit, lines, project


def only(source: str) -> Task:
    (task,) = project(source).tasks
    return task


@pytest.mark.parametrize(
    "decorator",
    [
        # an object with __call__
        """
        from celery import shared_task
        class Queued:
            def __init__(self, queue): self.queue = queue
            def __call__(self, func=None, **options):
                if func is None:
                    return lambda inner: self.wrap(inner, options)
                return self.wrap(func, options)
            def wrap(self, func, options):
                return shared_task(acks_late=True, **options)(func)
        mark = Queued("slow")
        """,
        """
        from celery import shared_task
        class Queued:
            def __call__(self, func):
                task = shared_task(func, acks_late=True)
                return task
        mark = Queued()
        """,
        # registration later, by a scanner
        """
        import venusian
        def mark(func):
            def later(scanner, name, found):
                scanner.config.celery.task(acks_late=True)(found)
            venusian.attach(func, later)
            return func
        """,
        """
        import scanners
        def mark(func):
            def later(celery_app):
                made = celery_app.task(func, acks_late=True)
                return made
            scanners.add(later)
            return func
        """,
        # other decorators around it
        """
        import functools
        from celery import shared_task
        def mark(func):
            @functools.wraps(func)
            def inner(*args):
                return func(*args)
            return functools.update_wrapper(shared_task(inner, acks_late=True), func)
        """,
        """
        from celery import shared_task
        def options(**given):
            given.setdefault("acks_late", True)
            return shared_task(**given)
        mark = options(bind=False)
        """,
        """
        from celery import shared_task
        def base(func, **given):
            given["acks_late"] = True
            return shared_task(**given)(func)
        def mark(func):
            return base(func)
        """,
        """
        from functools import partial
        from celery import Celery
        app = Celery()
        mark = partial(app.task, acks_late=True)
        """,
        """
        from celery import shared_task
        DEFAULTS = {"acks_late": True}
        def mark(func):
            return shared_task(**DEFAULTS)(func)
        """,
    ],
)
def test_a_decorator_of_the_projects_own(decorator: str) -> None:
    source = dedent(decorator) + "\n@mark\ndef grind(lot): ...\n"
    assert only(source).name == "tasks.grind"
    assert only(source).kind == "wrapper"
    assert only(source).literal("acks_late") is True


def test_names_mean_what_they_mean_in_the_wrappers_file() -> None:
    files = {
        "lab/__init__.py": "",
        "lab/marks.py": """
        from celery import Task, shared_task
        LIMIT = 60
        class Noisy(Task): ...
        def mark(func):
            return shared_task(func, base=Noisy, time_limit=LIMIT)
        """,
        "lab/tasks.py": "from lab.marks import mark\n@mark\ndef pull(image): ...\n",
    }
    (task,) = project(files).tasks
    assert (task.base, task.literal("time_limit")) == ("lab.marks.Noisy", 60)


def test_a_decorator_that_makes_no_task() -> None:
    source = """
    from celery import shared_task
    class Timed:
        def __call__(self, func):
            return lambda *args: func(*args)
    timed = Timed()
    def logged(func):
        def later(celery): celery.connect(func)
        return func
    @timed
    def a(): ...
    @logged
    def b(): ...
    """
    assert project(source).tasks == []


CLASSES = """
from celery import Celery, chain, current_app
from django.db import transaction
app = Celery("press")

class Print(app.Task):
    name = "press.print"
    def run(self, sheet):
        return sheet

class Bind(app.Task):
    def run(self, sheets):
        return sheets
"""


@pytest.mark.parametrize(
    "handle",
    [
        "h = app.register_task(Print())",
        "h = app.register_task(Print)",
        "h = Print()\napp.register_task(h)",
        "x = app.register_task(Print())\nh = app.tasks[x.name]",
        "app.register_task(Print())\nh = app.tasks[Print.name]",
        "app.register_task(Print())\nh = current_app.tasks['press.print']",
        "app.register_task(Print())\nh = app.tasks.get('press.print')",
        "N = 'press.print'\nfor k in (Print, Bind):\n    app.register_task(k())\nh = app.tasks[N]",
    ],
)
def test_a_handle_of_a_class_task(handle: str) -> None:
    source = CLASSES + handle + "\n\ndef go(n):\n    with transaction.atomic():\n        n.save()\n"
    source += "        h.delay(n)\n    chain(h.s(1), h.s()).delay()\n"
    read = project(source)
    assert "press.print" in [t.name for t in read.tasks]
    at = len(source.splitlines()) - 1
    assert lines(audit("CEL201", source)) == [at]
    assert audit("CEL000", source) == []


@pytest.mark.parametrize(
    "use",
    [
        "self.app.tasks[Print.name].delay(1, 2)",
        "current_app.tasks['press.print'].delay(1, 2)",
        "job = app.tasks['press.print']\n    job.delay(1, 2)",
        "Print().delay(1, 2)",
        "app.tasks.get('press.print').delay(1, 2)",
    ],
)
def test_a_task_looked_up_where_it_is_used(use: str) -> None:
    source = CLASSES + "app.register_task(Print())\n\n@app.task(bind=True)\ndef go(self):\n    "
    source += use + "\n"
    found = audit("CEL311", source)
    assert lines(found) == [len(source.splitlines())]
    assert "takes 1 positional arguments, 2 given" in found[0].message


def test_a_class_registered_by_a_decorator() -> None:
    source = CLASSES.replace("class Print", "@app.register_task\nclass Print")
    assert [t.name for t in project(source).tasks] == ["press.print"]


HOOKS = {
    "ship/__init__.py": "",
    "ship/base.py": """
    from celery import Celery
    app = Celery("ship")

    class Step(app.Task):
        abstract = True
        def run(self, *args):
            return self.guarded(*args)
        def guarded(self, *args):
            try:
                return self.work(*args)
            finally:
                self.done()
        def done(self): ...
    """,
    "ship/steps.py": """
    import requests
    from ship.base import Step, app

    class Call(Step):
        def work(self, ship):
            return self.ask(ship)
        def ask(self, ship):
            return requests.get(ship)
        def unused(self, ship):
            return requests.get(ship)

    class Plain:
        def work(self, ship):
            return requests.get(ship)

    app.register_task(Call())
    """,
}


def test_the_methods_that_run_leads_to_are_the_task() -> None:
    found = audit("CEL310", HOOKS)
    assert [(f.path, f.line) for f in found] == [("ship/steps.py", 9)]
    assert "ship.steps.Call" in found[0].message


def test_a_class_is_no_scope_of_its_methods() -> None:
    source = """
    from celery import chain, shared_task
    @shared_task
    def harvest(field): ...
    @shared_task
    def store(crop): ...

    class Season:
        def harvest(self):
            chain(harvest.s(1), store.si()).delay()
        def store(self, crop):
            return store.delay(crop, crop)
        class Inner:
            def store(self):
                store.delay(1, 2)
        late = store
    """
    assert audit("CEL000", source) == []
    assert lines(audit("CEL406", source)) == [10]
    assert lines(audit("CEL311", source)) == [12, 15]
