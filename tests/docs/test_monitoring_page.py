"""docs/monitoring.md: its programs run as they stand on the page, and its options are there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from celery.app.task import Task
from typer.main import get_command_from_info
from typer.models import CommandInfo

from offcanvas.engines.prefect.__main__ import main as prefect_worker
from offcanvas.engines.temporal.__main__ import main as temporal_worker
from tests.metrics.scraping import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
MEASURED, CALLER, TRACED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOP = """
import os
from celery import Celery, chord

app = Celery("shop", backend="file://" + os.environ["RESULTS"])


@app.task
def double(price):
    return 2 * price


@app.task
def total(numbers):
    return sum(numbers)


def report(width):
    return chord([double.s(price) for price in range(width)], total.s())
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    return tmp_path


def python(folder, program):
    (folder / "program.py").write_text(program, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "program.py"], cwd=folder, check=False, capture_output=True, text=True,
        env={**os.environ, "RESULTS": str(folder / "results"), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip


def test_a_celery_app_is_measured(folder):
    ran = python(folder, f"{MEASURED}\nprint(app.Task.Request)")
    assert ran.stdout == "offcanvas.engines.celery.counted:CountedRequest\n", ran.stderr
    assert Task.Request != ran.stdout.strip()


@pytest.mark.servers
def test_a_caller_tells_its_metrics(folder):
    port = str(free_port())
    assert "metrics.start(9402)" in CALLER
    program = CALLER.replace("9402", port).replace(
        "        print(",
        "        from urllib.request import urlopen\n        print(",
    )
    program += f"        print(urlopen('http://127.0.0.1:{port}/metrics').read().decode())\n"
    ran = python(folder, program)
    assert ran.stdout.startswith("6\n"), ran.stderr
    assert 'task="shop.total"' in ran.stdout
    assert 'offcanvas_canvases_sent_total{engine="memory"} 1.0' in ran.stdout


@pytest.mark.servers
def test_a_trace_is_written(folder):
    ran = python(folder, TRACED)
    assert ran.stdout == "6\n", ran.stderr
    spans = [json.loads(line) for line in (folder / "spans").read_text().splitlines()]
    assert len({span["context"]["trace_id"] for span in spans}) == 1
    names = sorted(span["name"] for span in spans)
    assert [name for name in names if name.startswith("run/")] == [
        "run/shop.double", "run/shop.double", "run/shop.double", "run/shop.total"
    ]  # fmt: skip


def options(command):
    info = CommandInfo(name="worker", callback=command)
    made = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
    return {name for parameter in made.params for name in parameter.opts}


def test_the_options_of_the_page_are_the_workers():
    named = set(re.findall(r"--metrics-\w+", PAGE))
    assert named == {"--metrics-port", "--metrics-host"}
    for command in (temporal_worker, prefect_worker):
        assert named <= options(command)


def test_every_module_and_file_of_the_page_is_there():
    for module in set(re.findall(r"python -m ([\w.]+)", PAGE)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or path.is_dir(), module
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).resolve().exists(), link
