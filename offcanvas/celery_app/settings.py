"""Settings of an app that has been configured already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import VERSION


def change_settings(app: Any, settings: Mapping[str, Any]) -> None:
    """``app.conf.update(settings)``, whatever was said before.

    Until 5.7 Celery looks for a name with the namespace of the app's configuration first
    (``CELERY_BROKER_URL`` of Django's settings), also in what was changed later.
    """
    app.conf.get("broker_url")  # reads the configuration, if nobody has yet
    app.conf.update(settings)
    namespace = app.conf.prefix
    if VERSION < (5, 7) and namespace:
        app.conf.update({f"{namespace}{name.upper()}": one for name, one in settings.items()})
