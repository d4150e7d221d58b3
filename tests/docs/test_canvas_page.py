"""The commands and programs of docs/canvas.md do what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "canvas.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
PROGRAMS = [text for text in PYTHON if "def test_" not in text]
(SUITE,) = (text for text in PYTHON if "def test_" in text)
CONSOLE = [text for language, text in BLOCKS if language == "console"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop.py").write_text(PROGRAMS[0], encoding="utf-8")
    return tmp_path


def python(folder, code, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    env = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize("block", CONSOLE)
def test_commands_print_what_the_page_shows(folder, block):
    command, _, output = block.partition("\n")
    prompt, program, *arguments = command.split()
    assert (prompt, program) == ("$", "offcanvas")
    ran = python(folder, "from offcanvas.cli import main; main()", *arguments)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", output)


def test_the_program_runs(folder):
    ran = python(folder, PROGRAMS[1])
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_switch_runs(folder):
    # A script that starts processes needs a main guard; results go to files instead of Redis.
    body = "\n".join(f"    {line}" for line in PROGRAMS[2].splitlines())
    script = folder / "switch.py"
    results = folder / "results"
    results.mkdir()
    script.write_text(
        f"from shop import app, report\n"
        f"app.conf.result_backend = 'file://{results}'\n"
        f"import os\n"
        f"if __name__ == '__main__':\n{body}\n    print(result.get())\n"
    )
    shop = folder / "shop.py"
    text = shop.read_text().replace(
        '"redis://", backend="redis://"', f'"", backend="file://{results}"'
    )
    shop.write_text(text)
    ran = python(folder, "import runpy; runpy.run_path('switch.py', run_name='__main__')")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "4\n"


@pytest.mark.servers
def test_the_suite_passes(folder):
    (folder / "test_shop.py").write_text(SUITE, encoding="utf-8")
    ran = python(folder, "import pytest, sys; sys.exit(pytest.main())", "--offcanvas-on=memory")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
