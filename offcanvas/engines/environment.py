"""Environment variables that would send a private run to somebody's servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Celery asks these before it asks the app's configuration.
CELERY_ADDRESSES = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
)
#: Engines use the servers that these name, where they are not told to start their own.
ENGINE_ADDRESSES = ("TEMPORAL_ADDRESS", "PREFECT_API_URL")


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Without these variables, in this process and in those that it starts meanwhile."""
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)
