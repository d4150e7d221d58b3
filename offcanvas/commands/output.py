"""What tasks print must not mix with what a command prints."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def output_of_tasks_on_stderr() -> Iterator[None]:
    """Send standard output to standard error, of this process and of those it starts meanwhile."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
