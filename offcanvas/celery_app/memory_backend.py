"""A result backend that is a dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from celery.backends.base import KeyValueStoreBackend

from offcanvas.celery_app.private_results import backend_set_aside

if TYPE_CHECKING:
    from celery import Celery


class MemoryBackend(KeyValueStoreBackend):
    """A result backend in a dictionary; values are encoded as for any other backend."""

    thread_safe = True
    only_for_a_run = True
    supports_result_compression = True  # a dictionary holds bytes as well

    def __init__(self, app: Celery, **options: Any) -> None:
        super().__init__(app=app, **options)
        self.stored: dict[str, Any] = {}

    def get(self, key: Any) -> Any:
        """What is stored under ``key``, or None."""
        return self.stored.get(_text(key))

    def mget(self, keys: Sequence[Any]) -> list[Any]:
        """What is stored under each key."""
        return [self.get(key) for key in keys]

    def set(self, key: Any, value: Any) -> None:
        """Store ``value``."""
        self.stored[_text(key)] = value

    def delete(self, key: Any) -> None:
        """Forget ``key``."""
        self.stored.pop(_text(key), None)


def _text(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key


@contextmanager
def memory_backend(app: Any) -> Iterator[MemoryBackend]:
    """Let the app keep its results in memory for a while; its own backend comes back after."""
    with backend_set_aside(app):
        backend = MemoryBackend(app)
        app._backend_cache = backend  # noqa: SLF001  # what app.backend looks at first
        yield backend
