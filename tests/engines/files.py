"""What tasks in other processes have written to a file; they take its path as text."""

import time
from pathlib import Path

import pytest

from offcanvas.testing.suite import lines  # noqa: F401  # tests have both from here


def wait_for(path):
    """A task has begun; it says so by a file."""
    wait_until(lambda: Path(path).exists(), "the task has begun")


def wait_until(true, what="it"):
    """Wait for something that other processes do."""
    for _ in range(6_000):
        if true():
            return
        time.sleep(0.05)
    pytest.fail(f"not within five minutes: {what}")
