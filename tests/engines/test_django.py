"""A Django project as the documentation of Celery lays one out, and its canvases elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = {
    "manage_books/__init__.py": "",
    "manage_books/settings.py": """
SECRET_KEY = "of a test"
INSTALLED_APPS = ["books"]
USE_TZ = True
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = "redis://127.0.0.1:1"
CELERY_TASK_ROUTES = {"books.tasks.total": {"queue": "slow"}}
CELERY_TASK_DEFAULT_PRIORITY = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {"priority_steps": [0, 1, 2], "sep": ":"}
""",
    "manage_books/celery.py": """
import os
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "manage_books.settings")
app = Celery("manage_books")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
""",
    "books/__init__.py": "",
    "books/models.py": """
from django.db import models

class Book(models.Model):
    title = models.CharField(max_length=100)
""",
    "books/tasks.py": """
from celery import chord, shared_task
from books.models import Book

@shared_task
def field(number):
    return [one.name for one in Book._meta.fields][number]

@shared_task
def total(names):
    return sorted(names)

@shared_task(bind=True)
def fields(self):
    return self.replace(chord([field.s(0), field.s(1)], total.s()))
""",
    # The app knows nothing of this module.
    "books/reports.py": """
from celery import shared_task
from books.tasks import fields

@shared_task
def count(names):
    return len(names)

def report():
    (fields.s() | count.s()).delay()
    return "sent"
""",
}


@pytest.fixture
def offcanvas(tmp_path):
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-c", "from offcanvas.cli import main; main()", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


def test_without_the_app_the_message_says_what_to_do(offcanvas):
    ran = offcanvas("show", "books.tasks:fields")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "ImproperlyConfigured" in ran.stderr
    assert "name the app, which sets Django up: -A, as for celery" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_django_is_set_up_where_the_environment_names_its_settings(offcanvas):
    ran = offcanvas("show", "books.tasks:fields", DJANGO_SETTINGS_MODULE="manage_books.settings")
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "books.tasks.fields()\n")


READY = """
from django.apps import AppConfig

class BooksConfig(AppConfig):
    name = "books"

    def ready(self):
        from offcanvas import reroute
        from manage_books.celery import app
        reroute(app, to="{engine}", private={private})
"""


@pytest.mark.parametrize(
    ("engine", "private", "told"),
    [
        ("temporal", False, "nothing says where the Temporal server is: set TEMPORAL_ADDRESS"),
        ("prefect", False, "nothing says where the Prefect server is: set PREFECT_API_URL"),
        ("temporal", True, "private=True does not go together with AppConfig.ready(): its worker"),
        ("prefect", True, "private=True does not go together with AppConfig.ready(): its worker"),
    ],
)
def test_a_switch_in_ready_that_cannot_be_is_one_line(offcanvas, tmp_path, engine, private, told):
    (tmp_path / "books" / "apps.py").write_text(READY.format(engine=engine, private=private))
    (tmp_path / "home").mkdir()
    ran = offcanvas(
        "show", "books.tasks:fields", DJANGO_SETTINGS_MODULE="manage_books.settings",
        HOME=str(tmp_path / "home"),
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr
    assert told in ran.stderr
    assert "reentrant" not in ran.stderr


ROLLED_BACK = """
import os, sys
import django

if __name__ == "__main__":
    django.setup()
    from django.db import transaction
    from celery import shared_task
    from manage_books.celery import app
    from books.tasks import total
    from offcanvas import reroute

    class Undo(Exception):
        pass

    started = []
    with reroute(app, to="memory") as switch:
        begin = switch.target.start
        switch.target.start = lambda branch: (started.append(branch), begin(branch))[1]
        for undo in (True, False):
            try:
                with transaction.atomic():
                    transaction.on_commit(lambda: total.delay(["b", "a"]))
                    transaction.on_commit(lambda: (total.s(["b", "a"]) | total.s()).delay())
                    total.delay_on_commit(["b", "a"])
                    total.apply_async_on_commit((["b", "a"],))
                    assert started == []
                    if undo:
                        raise Undo
            except Undo:
                pass
            print(len(started))
"""


def test_what_is_sent_on_commit_is_not_sent_when_it_is_rolled_back(offcanvas, tmp_path):
    (tmp_path / "rolled.py").write_text(ROLLED_BACK)
    (tmp_path / "results").mkdir()
    with (tmp_path / "manage_books" / "settings.py").open("a") as settings:
        settings.write(f"""
CELERY_RESULT_BACKEND = "file://{tmp_path}/results"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}}}
""")
    ran = subprocess.run(
        [sys.executable, "rolled.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()),
             "DJANGO_SETTINGS_MODULE": "manage_books.settings"}, timeout=120,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.split()) == (0, ["0", "4"]), ran.stderr


@pytest.mark.servers
def test_what_a_view_sends_is_the_same_on_all_engines(offcanvas):
    ran = offcanvas("check", "-A", "manage_books", "books.reports:report")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "celery    returns 2, 5 task runs",
        "memory    same",
        "temporal  same",
        "prefect   same",
    ]
