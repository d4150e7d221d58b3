"""Scripts as people write them first, and machines as they are: each works or says why not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = """
import os
from celery import Celery
app = Celery("shop", backend=os.environ["RESULTS"])

@app.task
def double(x):
    return 2 * x
"""
REROUTE = """
import offcanvas
with offcanvas.reroute(app, to="memory"):
    print(double.delay(4).get(timeout=60))
"""


@pytest.fixture
def ran(tmp_path):
    """Runs a script beside a module of the app; what it printed, and the end of its errors."""
    (tmp_path / "results").mkdir()

    def run(script, shop=APP, **environment):
        (tmp_path / "shop.py").write_text(shop)
        (tmp_path / "script.py").write_text(script)
        known = {
            **os.environ,
            "RESULTS": f"file://{tmp_path}/results",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True,
            env={name: value for name, value in known.items() if value is not None},
            timeout=120, check=False,
        )  # fmt: skip
        return done.stdout, done.stderr.strip().rpartition("\n")[2]

    return run


def test_a_script_without_a_guard_reroutes(ran):
    assert ran("from shop import app, double\n" + REROUTE) == ("8\n", "")


def test_a_module_that_reroutes_while_it_is_imported_is_told_why_it_cannot(ran):
    printed, error = ran("import shop\n", APP + REROUTE)
    assert printed == ""
    assert error.startswith("offcanvas.errors.EngineError: a process of the worker cannot start")
    assert "under if __name__ == '__main__'" in error


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise KeyError('NEEDED')", "KeyError: 'NEEDED'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_an_app_that_does_not_import_elsewhere_is_told_with_the_reason(ran, fault, said):
    broken = f"\nif 'ELSEWHERE' in os.environ:\n    {fault}\n"
    script = "import os\nfrom shop import app, double\nos.environ['ELSEWHERE'] = '1'\n" + REROUTE
    printed, error = ran(script, APP + broken)
    assert printed == ""
    assert error.endswith(f"importing shop:app fails there with {said}")


def test_a_long_path_for_temporary_files(ran, tmp_path):
    long = tmp_path / ("long" * 30)
    long.mkdir()
    script = (
        "from shop import app, double\n"
        + REROUTE
        + "from offcanvas.servers import redis\n"
        + "with redis() as server:\n    print(server.running)\n"
    )
    assert ran(script, TMPDIR=str(long)) == ("8\nTrue\n", "")
    assert list(long.iterdir()) == []


def test_a_user_without_a_home_and_without_an_entry(ran):
    script = (
        "import os, pwd, sys, tempfile\n"
        "os.environ.pop('HOME', None)\n"
        "def nobody(uid):\n    raise KeyError('uid not found')\n"
        "pwd.getpwuid = nobody\n"
        "from offcanvas.cli import main\n"
        "sys.argv = ['offcanvas', 'audit', 'shop.py']\n"
        "main()\n"
    )
    printed, error = ran(script, HOME=None, XDG_CACHE_HOME=None, OFFCANVAS_CACHE_DIR=None)
    assert error == ""
    assert "1 file (8 lines), 1 task, 0 canvases" in printed
