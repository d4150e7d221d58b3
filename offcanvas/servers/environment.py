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


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Without these variables, in this process and in those that it starts meanwhile."""
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


#: How many runs are inside ``private_only`` now.
_private: list[None] = []


@contextmanager
def private_only(*names: str) -> Iterator[None]:
    """Without these variables, and nothing that engines are configured with names a server."""
    _private.append(None)
    try:
        with without(*names):
            yield
    finally:
        _private.pop()


def is_private() -> bool:
    """Whether only private servers may be used now, whatever the user's configuration names."""
    return bool(_private)
