"""Setting up `.venv`: what is missing is said, and the exit status is 2."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from offcanvas.servers.base import free_port

ROOT = Path(__file__).resolve().parents[1]
OLD = """#!/bin/sh
case "$1" in --version) echo "Python 3.9.18" ;; *) exit 1 ;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(checkout: Path, python: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "MAKE", "MFLAGS"))}  # fmt: skip
    return subprocess.run(
        ["make", "compare", f"PYTHON={python}"],
        cwd=checkout, env={**kept, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_old_python_is_named(checkout: Path) -> None:
    python = checkout / "python3.9"
    python.write_text(OLD, encoding="utf-8")
    python.chmod(0o755)
    done = make(checkout, str(python))
    assert (done.returncode, done.stdout) == (2, "")
    line = f"offcanvas needs Python 3.11 or newer; {python} is Python 3.9.18. Try: make PYTHON="
    assert done.stderr.startswith(line)
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_not_there_is_named(checkout: Path) -> None:
    done = make(checkout, "no-such-python")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "offcanvas needs Python 3.11 or newer; there is no no-such-python."
    )


def test_without_a_package_index_it_says_so_and_is_not_taken_for_ready(checkout: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/simple"
    done = make(
        checkout, sys.executable, PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=nowhere,
        PIP_NO_CACHE_DIR="1",
    )  # fmt: skip
    assert done.returncode == 2
    assert "packages could not be installed (see above)" in done.stderr
    assert not (checkout / ".venv" / ".ready").exists()
