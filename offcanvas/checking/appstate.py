"""Where an app's messages and results go, to be changed and changed back.

A session of an engine points the app elsewhere for as long as it is open. Several sessions of one
app can be open at a time only if each has the app while it runs a canvas, and nobody else does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offcanvas.celery_app.settings import change_settings
from offcanvas.engines.celery.engine import PRIVATE
from offcanvas.servers.environment import CELERY_ADDRESSES


class AppState:
    """The settings, the backend and the connections of an app, as they are now."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.take()

    def take(self) -> None:
        """Remember what there is."""
        app = self._app
        self._settings = {name: app.conf.get(name) for name in PRIVATE}
        self._environment = {name: os.environ.get(name) for name in CELERY_ADDRESSES}
        self._backends = (app._backend_cache, app._local.__dict__.get("backend"))  # noqa: SLF001  # the property's setter cannot put None back
        self._connections = (app._pool, app.amqp._producer_pool, app.__dict__.get("control"))  # noqa: SLF001  # what Celery itself drops after a fork

    def put(self) -> None:
        """Give the app what was remembered."""
        app = self._app
        change_settings(app, self._settings)
        for name, setting in self._environment.items():
            os.environ.pop(name, None)
            if setting is not None:
                os.environ[name] = setting
        app._backend_cache, local = self._backends  # noqa: SLF001  # as above
        app._local.__dict__.pop("backend", None)  # noqa: SLF001  # as above
        if local is not None:
            app._local.backend = local  # noqa: SLF001  # as above
        app._pool, app.amqp._producer_pool, control = self._connections  # noqa: SLF001  # as above
        app.__dict__.pop("control", None)
        if control is not None:
            app.__dict__["control"] = control

    @contextmanager
    def inside(self, before: AppState) -> Iterator[None]:
        """This state for a while; then that of ``before``."""
        self.put()
        try:
            yield
        finally:
            self.take()
            before.put()
