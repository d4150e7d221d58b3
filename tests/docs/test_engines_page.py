"""docs/engines.md: the engine of the page, from outside the kit, under the installed suite."""

import os
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
SPEC, SUPPORT, ENGINE, TEST, EXCUSED = (text for lang, text in BLOCKS if lang == "python")
(PROJECT,) = (text for lang, text in BLOCKS if lang == "toml")
(COMMAND,) = (text for lang, text in BLOCKS if lang == "sh")
SHOP = """
from celery import Celery, chord
app = Celery("shop")

@app.task
def double(x):
    return 2 * x

@app.task
def total(numbers):
    return sum(numbers)

report = chord([double.s(1), double.s(2)], total.s())
"""

pytestmark = pytest.mark.servers


@pytest.fixture
def far(tmp_path):
    """The distribution as it stands when it is installed: a package, and beside it its metadata."""
    package, metadata = tmp_path / "far_engine", tmp_path / "far_engine-1.0.dist-info"
    package.mkdir()
    for name, text in ("__init__", ""), ("spec", SPEC), ("support", SUPPORT), ("engine", ENGINE):
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: far-engine\nVersion: 1.0\n")
    _, _, points = PROJECT.partition('entry-points."offcanvas.engines"]\n')
    (metadata / "entry_points.txt").write_text(
        "[offcanvas.engines]\n" + points.replace('"', ""), encoding="utf-8"
    )
    (tmp_path / "test_far.py").write_text(TEST, encoding="utf-8")
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    return tmp_path


def test_the_modules_that_the_page_names_are_there():
    named = re.findall(r"`(offcanvas\.[\w.]+)[` ]", PAGE)
    assert {"offcanvas.engines.spec", "offcanvas.engines.driver.Driver"} <= set(named)
    for name in named:
        assert resolve_name(name)


def python(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def test_the_suite_passes_as_its_author_runs_it(far):
    program, *arguments = COMMAND.split()
    assert program == "python"
    ran = python(far, *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^=* ?\d+ passed", ran.stdout, re.MULTILINE)
    assert " skipped" not in ran.stdout


def test_the_command_line_knows_it(far):
    main = ("-c", "from offcanvas.cli import main; main()")
    ran = python(far, *main, "run", "shop:report", "--on", "far")
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "6\n")
    ran = python(far, *main, "run", "shop:report", "--on", "near")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "there are: celery, far, memory, prefect, temporal" in ran.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("*(walk(branch) for branch in branches)", "*(walk(one) for one in branches[::-1])"),
        ('self.revoked.update(one["ids"])', "pass"),
        pytest.param("await asyncio.sleep(seconds)", "pass", marks=pytest.mark.long),
        pytest.param(
            "await self.pool.do(process.fail_chord, raw)",
            '{"state": "FAILURE"}',
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_engine_that_does_otherwise_is_found_out(far, right, wrong):
    engine = far / "far_engine" / "engine.py"
    assert ENGINE.count(right) == 1
    engine.write_text(ENGINE.replace(right, wrong), encoding="utf-8")
    ran = python(far, "-m", "pytest", "-x", "test_far.py", "-p", "no:cacheprovider")
    assert ran.returncode == 1, ran.stdout + ran.stderr


def test_what_passes_or_is_exact_cannot_be_excused(far):
    (far / "test_far.py").write_text(EXCUSED, encoding="utf-8")
    ran = python(far, "-m", "pytest", "test_far.py", "-k", "processes_apart")
    assert (ran.returncode, "XPASS(strict)" in ran.stdout) == (1, True), ran.stdout
    exact = EXCUSED.replace("Feature.KILLED_WORKER", "Feature.NODE_CHORD")
    (far / "test_far.py").write_text(exact, encoding="utf-8")
    ran = python(far, "-m", "pytest", "test_far.py", "-k", "processes_apart")
    assert ran.returncode == 1, ran.stdout
    assert "excused by NODE_CHORD, of which the table says: exact" in ran.stdout
    nothing = EXCUSED.replace("test_tasks_run", "test_nothing_runs")
    (far / "test_far.py").write_text(nothing, encoding="utf-8")
    ran = python(far, "-m", "pytest", "test_far.py")
    assert ran.returncode == 2, ran.stdout
    assert "TestFarAway.excused names no test: test_nothing_runs" in ran.stdout
