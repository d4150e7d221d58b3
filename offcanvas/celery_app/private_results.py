"""A result backend for the time of a run: a folder that processes share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery.backends.filesystem import FilesystemBackend
from kombu.utils.encoding import ensure_bytes

from offcanvas.celery_app.settings import change_settings
from offcanvas.servers.base import private_folder
from offcanvas.servers.environment import CELERY_ADDRESSES, without


class WholeFiles(FilesystemBackend):
    """Celery's backend writes into the file that others read, who then may find half a result."""

    def set(self: Any, key: Any, value: Any) -> None:  # celery-types knows no attribute of it
        """Write it beside, then put it in place."""
        with tempfile.NamedTemporaryFile(dir=os.fsdecode(self.path), delete=False) as beside:
            beside.write(ensure_bytes(value))
        Path(beside.name).replace(os.fsdecode(self._filename(key)))


@contextmanager
def private_results(app: Any) -> Iterator[None]:
    """Let the app keep its results in a folder for a while; its own backend comes back after."""
    folder = private_folder("results")
    before = app.conf.get("result_backend")
    try:
        with without(*CELERY_ADDRESSES), backend_set_aside(app):
            ours = f"{__name__}:{WholeFiles.__name__}+file://{folder}"
            change_settings(app, {"result_backend": ours})
            try:
                yield
            finally:
                change_settings(app, {"result_backend": before})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def results_are_private(app: Any) -> bool:
    """Whether results are kept for the time of a run only, apart from the user's servers."""
    if __name__ in str(app.conf.get("result_backend") or ""):
        return True
    return bool(getattr(app.backend, "only_for_a_run", False))


@contextmanager
def backend_set_aside(app: Any) -> Iterator[None]:
    """The app makes its result backend anew, from its settings; the one it has comes back after.

    A backend that is thread-safe stands on the app, any other in the thread's own attributes; the
    property's setter cannot put None back.
    """
    kept, local = app._backend_cache, app._local.__dict__.pop("backend", None)  # noqa: SLF001  # see above
    app._backend_cache = None  # noqa: SLF001  # see above
    try:
        yield
    finally:
        app._backend_cache = kept  # noqa: SLF001  # see above
        app._local.__dict__.pop("backend", None)  # noqa: SLF001  # see above
        if local is not None:
            app._local.backend = local  # noqa: SLF001  # see above
