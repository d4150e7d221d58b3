"""docs/tutorial.md: every command prints what the page shows, and the app is moved."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
ORDERS, MOVE = (text for language, text in BLOCKS if language == "python")
CONSOLE = [text for language, text in BLOCKS if language == "console"]

pytestmark = pytest.mark.servers


def python(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize(
    "block",
    [
        # The same command as on the first page of the project, whose test is run with all others.
        pytest.param(block, marks=pytest.mark.long) if "offcanvas check " in block else block
        for block in CONSOLE
    ],
)
def test_commands_print_what_the_page_shows(tmp_path, block):
    (tmp_path / "orders.py").write_text(ORDERS, encoding="utf-8")
    command, _, output = block.partition("\n")
    prompt, program, *arguments = shlex.split(command)
    assert (prompt, program) == ("$", "offcanvas")
    ran = python(tmp_path, "-c", "from offcanvas.cli import main; main()", *arguments)
    fails = "audit" in arguments or "KeyError" in output
    assert (ran.stderr + ran.stdout, ran.returncode) == (output, int(fails))


def test_the_app_is_moved(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    orders = ORDERS.replace('"redis://", backend="redis://"', f'"", backend="file://{results}"')
    assert "file://" in orders
    (tmp_path / "orders.py").write_text(orders, encoding="utf-8")
    (tmp_path / "move.py").write_text(MOVE, encoding="utf-8")
    ran = python(tmp_path, "move.py")
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "ada@example.org: 21 EUR\n")


def test_what_it_says_of_a_rule_can_be_asked(tmp_path):
    assert "offcanvas audit --explain CEL402" in PAGE
    ran = python(
        tmp_path, "-c", "from offcanvas.cli import main; main()", "audit", "--explain", "CEL402"
    )
    assert ran.returncode == 0
    assert "Temporal:" in ran.stdout
