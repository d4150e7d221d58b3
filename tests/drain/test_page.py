"""The command of docs/drain.md prints what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from offcanvas.servers import redis

PAGE = (Path(__file__).parents[2] / "docs" / "drain.md").read_text(encoding="utf-8")
(CONSOLE,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.servers
def test_the_page_shows_what_is_printed(tmp_path):
    command, _, shown = CONSOLE.partition("\n")
    prompt, program, *arguments = command.split()
    assert (prompt, program) == ("$", "offcanvas")
    with redis(tcp=True) as server:
        (tmp_path / "shop.py").write_text(
            "from celery import Celery\n"
            f"app = Celery('shop', broker={server.url!r}, backend={server.url!r})\n",
            encoding="utf-8",
        )
        code = "from offcanvas.cli import main; main()"
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", shown)
