"""What tasks in other processes have written to a file; they take its path as text."""

import time
from pathlib import Path

import pytest


def lines(path):
    """The lines, sorted: tasks side by side have no order."""
    return sorted(Path(path).read_text(encoding="utf-8").splitlines())


def wait_for(path):
    """A task has begun; it says so by a file."""
    for _ in range(6_000):
        if Path(path).exists():
            return
        time.sleep(0.05)
    pytest.fail("the task has not begun")
