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
