"""The Celery app: `celery -A celery_impl.app worker` and everything else starts here."""

from __future__ import annotations

import threading
from typing import Any

from celery import Celery
from celery.signals import before_task_publish

from celery_impl.base import VoterRollsTask
from celery_impl.profiles import Profile, profile
from celery_impl.stamp import stamp
from shared.errors import UsageError
from shared.settings import settings
from shared.variants import VARIANTS

PROFILE: Profile = profile(settings())

app: Celery[Any] = Celery(
    "voter-rolls",
    task_cls=VoterRollsTask,
    include=[
        "celery_impl.tasks",
        "celery_impl.workloads",
        "celery_impl.sweep",
        *(f"celery_impl.{variant.name}" for variant in VARIANTS),
    ],
)
app.config_from_object(dict(PROFILE.settings))
VoterRollsTask.confirm_timeout = PROFILE.confirm_timeout
before_task_publish.connect(stamp, dispatch_uid="when it was sent")
_in_force: dict[str, Any] = dict(PROFILE.settings)


def connect() -> Celery[Any]:
    """The app, on the addresses that the settings name now.

    A process has one app, because tasks are bound to it when their modules are imported; the
    addresses may change between two clients, the profile may not.

    Raises:
        UsageError: an address is missing, or the profile is another one than at import.
    """
    settings().required("celery_broker_url")
    settings().required("celery_result_backend")
    wanted = profile(settings())
    if wanted.name != PROFILE.name:
        raise UsageError(
            f"CELERY_PROFILE={wanted.name}: this process has begun as {PROFILE.name}; "
            "start another process"
        )
    if dict(wanted.settings) != _in_force:
        _move(wanted)
    return app


def _move(wanted: Profile) -> None:
    """Let go of what was built from the former addresses; it is built again when it is needed.

    Celery has no public word for this: an app is meant to keep its addresses for life. The idle
    connections stay with kombu, which shares them among all apps of the process.
    """
    for built in ("amqp", "control", "events"):
        vars(app).pop(built, None)
    app._pool = None  # type: ignore[attr-defined]  # noqa: SLF001 - private
    # Holds the result backend.
    app._local = threading.local()  # type: ignore[attr-defined]  # noqa: SLF001 - private
    app.config_from_object(dict(wanted.settings), force=True)
    _in_force.clear()
    _in_force.update(wanted.settings)
    VoterRollsTask.confirm_timeout = wanted.confirm_timeout
