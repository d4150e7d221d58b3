"""The command of docs/compare.md runs, with the module that the page shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
MAIN = "from offcanvas.cli import main; main()"


@pytest.mark.servers
def test_the_command_of_the_page(tmp_path):
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (command,) = re.findall(r"```sh\noffcanvas (.*?)\n```", PAGE, re.DOTALL)
    (tmp_path / "shop.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAIN, *shlex.split(command)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    printed = re.findall(r"^([a-zA-Z][a-zA-Z ]+?)(?:, s|, MB)?  +\S", done.stdout, re.M)
    assert len(printed) == 10
    for row in printed:
        assert f"| {row}" in PAGE or row.split(" of ")[0] in ("CPU", "memory"), row
    assert "<svg" in (tmp_path / "report.html").read_text()
