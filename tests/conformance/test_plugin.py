"""The plugin on a small stand-in for Celery's test tree: no download, no Celery worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONFTEST = """
import os
import pytest
from celery.contrib.pytest import celery_app, celery_session_worker
from celery.contrib.testing.manager import Manager

@pytest.fixture(scope="session")
def celery_config():
    return {"broker_url": os.environ["TEST_BROKER"], "result_backend": os.environ["TEST_BACKEND"]}

@pytest.fixture
def manager(celery_app, celery_session_worker):
    celery_app.set_current()
    celery_app.set_default()
    yield Manager(celery_app)
"""
TASKS = """
import os
from celery import Task, shared_task

@shared_task
def identity(x):
    return x

@shared_task
def pid():
    return os.getpid()

class ClassBasedAutoRetryTask(Task):
    name = "by_class"
"""
TESTS = """
import os
from celery import group
from t.integration.tasks import identity, pid

class test_chain:
    def test_runs_elsewhere(self, manager):
        assert manager.inspect().ping() == {"offcanvas": {"ok": "pong"}}
        assert pid.delay().get(timeout=300) != os.getpid()
        assert group(identity.s(1), identity.s(2))().get(timeout=300) == [1, 2]

    def test_fails(self, manager):
        assert identity.delay(1).get(timeout=300) == 2
"""


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "t" / "integration"
    folder.mkdir(parents=True)
    for place in (folder, folder.parent):
        (place / "__init__.py").touch()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "tasks.py").write_text(TASKS)
    (folder / "test_canvas.py").write_text(TESTS)
    return tmp_path


def conformance(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tests.conformance", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "ARGS": "-k test_chain"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.servers
def test_tests_run_on_an_engine_and_a_failure_that_is_not_listed_is_told(tree):
    ended = conformance(tree, "memory")
    assert ended.returncode == 1, ended.stderr
    *_, wrong, told = ended.stdout.splitlines()
    assert wrong.startswith("NOT LISTED test_chain.test_fails: failed (assert 1 == 2")
    assert told == "memory: 1 passed, 1 failed"


@pytest.mark.parametrize(
    ("engine", "said"), [("luigi", "no engine 'luigi'; ON is one of"), ("memory", "gets it")]
)
def test_what_cannot_run_is_one_line(tmp_path, engine, said):
    ended = conformance(tmp_path, engine)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
