"""Entries of the schedule that beat would still send."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from offcanvas.drain.findings import Finding, Place

#: Schedulers that read ``beat_schedule`` and nothing else.
_OWN = (
    "celery.beat:PersistentScheduler",
    "celery.beat:Scheduler",
    "celery.beat.PersistentScheduler",
)
_REMEDY = "hand them over, or stop beat and say --without beat"


def enabled_entries(app: Any) -> Finding:
    """How many entries are switched on, in the configuration and where its scheduler keeps them.

    Whether a beat process runs cannot be seen from outside: an entry that is there may be sent.
    """
    scheduler = str(app.conf.beat_scheduler)
    names = sorted(app.conf.beat_schedule or {})
    if "django_celery_beat" in scheduler:
        return _django(names)
    if "redbeat" in scheduler.lower():
        return _redbeat(app)
    if scheduler not in _OWN:
        why = f"the scheduler {scheduler} keeps its entries where this command does not look"
        return Finding(Place.BEAT, None, why)
    return _entries(names)


def _entries(names: list[str]) -> Finding:
    if not names:
        return Finding(Place.BEAT, 0)
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")  # enough to recognise them
    return Finding(Place.BEAT, len(names), f"{some}; {_REMEDY}")


def _django(configured: list[str]) -> Finding:
    try:
        models: Any = import_module("django_celery_beat.models")
        rows = models.PeriodicTask.objects.filter(enabled=True)
        # Its scheduler writes entries of the configuration into rows; `backend_cleanup` is its own.
        names = {str(name) for name in rows.values_list("name", flat=True)}
    except Exception as error:  # whatever Django or its database say is the answer
        return Finding(Place.BEAT, None, _cannot("django_celery_beat", error))
    return _entries(sorted((names | set(configured)) - {"celery.backend_cleanup"}))


def _redbeat(app: Any) -> Finding:
    try:
        schedulers: Any = import_module("redbeat.schedulers")
        settings = schedulers.RedBeatConfig(app)
        client = schedulers.get_redis(app)
        keys = [str(key) for key in client.zrange(settings.schedule_key, 0, -1)]
    except Exception as error:  # whatever the library or its Redis say is the answer
        return Finding(Place.BEAT, None, _cannot("redbeat", error))
    prefix = str(settings.key_prefix)
    return _entries(sorted(key.removeprefix(prefix) for key in keys if "cleanup" not in key))


def _cannot(library: str, error: Exception) -> str:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{library} cannot be asked: {reason:.120}"
