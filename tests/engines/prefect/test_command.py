"""``python -m offcanvas.engines.prefect``: what it says to bad input."""

import subprocess
import sys

import pytest
from typer import Typer
from typer.testing import CliRunner

from offcanvas.engines.prefect.__main__ import PREFECT_SETTINGS, main
from tests.engines.apart import app

pytestmark = pytest.mark.servers

TARGET = "tests.engines.apart:app"


@pytest.fixture
def command(monkeypatch):
    """Runs the command here: importing Prefect takes seconds."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, setting in PREFECT_SETTINGS.items():
        monkeypatch.setenv(name, setting)
    program = Typer()
    program.command()(main)

    monkeypatch.setenv("OFFCANVAS_RESULT_BACKEND", "redis://nobody-asks")
    # What is updated with it is the app that other tests use.
    monkeypatch.setattr(app.conf, "result_backend", app.conf.result_backend)

    def run(*arguments, url="http://127.0.0.1:1/api"):
        monkeypatch.setenv("PREFECT_API_URL", url)
        return CliRunner().invoke(program, arguments)

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["tests.nowhere:app"],
            "offcanvas: tests.nowhere:app: importing tests.nowhere failed",
        ),
        (["tests.engines.apart:add"], "offcanvas: tests.engines.apart:add is the task "),
        (
            ["tests.engines.apart:PROCESSES"],
            "offcanvas: tests.engines.apart:PROCESSES is of type",
        ),
        (["tests.engines.apart:nobody"], "offcanvas: tests.engines.apart:nobody: tests.engines.ap"),
        (["tests.engines.apart"], "offcanvas: tests.engines.apart: name the Celery app as module:"),
        ([":app"], "offcanvas: :app: name the Celery app as module:app, for example shop:app"),
        ([TARGET], "offcanvas: no Prefect server answers at http://127.0.0.1:1/api"),
    ],
)
def test_bad_input_is_one_line(command, arguments, told):
    ran = command(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(told)
    assert ran.stderr.count("\n") == 1


def test_a_server_without_an_address_is_asked_for(command):
    ran = command(TARGET, url="")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr == (
        "offcanvas: nothing says where the Prefect server is: set PREFECT_API_URL to "
        "http://host:4200/api, or: prefect config set PREFECT_API_URL=http://host:4200/api\n"
    )


def test_a_work_pool_that_is_not_there_is_named(command, prefect_url):
    ran = command(TARGET, "--work-pool", "nobody's", url=prefect_url)
    assert ran.exit_code == 2
    assert ran.stderr.startswith('offcanvas: there is no work pool "nobody\'s"; create it:')


def test_an_app_that_keeps_no_results_is_refused(command, prefect_url, monkeypatch):
    monkeypatch.delenv("OFFCANVAS_RESULT_BACKEND")
    ran = command("tests.engines.prefect.forgetful:app", url=prefect_url)
    assert ran.exit_code == 2
    assert "has the result backend None; callers and workers have to share one" in ran.stderr


WITHOUT = """
import sys
sys.modules["prefect"] = None
from offcanvas.errors import MissingExtra
from offcanvas._reroute import reroute
from offcanvas._run import run
from tests.engines.apart import add, app
app.conf.result_backend = "file:///tmp"
for call in (lambda: run(add.s(1), on="prefect"), lambda: reroute(app, to="prefect")):
    try:
        call()
    except MissingExtra as error:
        print(error)
"""


def test_a_missing_extra_is_named():
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    line = "the engine prefect needs prefect: pip install 'offcanvas[prefect]'\n"
    assert ran.stdout == line * 2
