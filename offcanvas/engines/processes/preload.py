"""What the fork server imports, so that a new process is there in milliseconds.

That is the app's module, and the driver of the result backend, which each process would import with
its first task: a tenth of a second of CPU.

Whatever goes wrong here goes wrong in each process as well, which says why; the fork server must
not end of it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

from celery.app.backends import by_url

from offcanvas.engines.processes import process

_APP, _RESULTS = "OFFCANVAS_PRELOAD_APP", "OFFCANVAS_PRELOAD_RESULTS"


@contextmanager
def preloading(module: str, result_backend: str) -> Iterator[None]:
    """A fork server that is started meanwhile imports this module, and what this URL needs."""
    # No more of it than is needed: it may have a password.
    os.environ.update({_APP: module, _RESULTS: "".join(result_backend.partition("://")[:2])})
    try:
        yield
    finally:
        del os.environ[_APP], os.environ[_RESULTS]


if _APP in os.environ:
    with suppress(BaseException):
        process.import_module_of_app(os.environ[_APP])
    with suppress(BaseException):
        by_url(os.environ[_RESULTS], SimpleNamespace(override_backends={}))
