"""Reading beat's entries: from the configuration, django-celery-beat and redbeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from celery.schedules import crontab, maybe_schedule, schedule, solar

from offcanvas.errors import UsageError, line_of
from offcanvas.schedules.entries import Cron, Entry, Every, Once, Solar, When

#: Entries that Celery and its schedulers make for themselves.
_OWN = frozenset({"celery.backend_cleanup", "backend_cleanup"})


def entries(app: Any) -> list[Entry]:
    """All entries of the app's scheduler, by name.

    Raises:
        UsageError: the place where its scheduler keeps them cannot be read.
    """
    app.finalize()
    app.loader.import_default_modules()
    scheduler = str(app.conf.beat_scheduler)
    found = [_configured(app, name, raw) for name, raw in (app.conf.beat_schedule or {}).items()]
    if "django_celery_beat" in scheduler:
        found = [*_django(app, {one.name for one in found}), *found]
    elif "redbeat" in scheduler.lower():
        found = _redbeat(app)
    elif scheduler.partition(":")[0] not in {"celery.beat", "celery.beat.PersistentScheduler"}:
        raise UsageError(
            f"the scheduler {scheduler} keeps its entries where this command does not look; there "
            "are celery.beat, django_celery_beat and redbeat"
        )
    return sorted((one for one in found if one.name not in _OWN), key=lambda one: one.name)


def _configured(app: Any, name: str, raw: Any) -> Entry:
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else vars(raw)
    when, unknown = when_of(app, given["schedule"], None)
    options = dict(given.get("options") or {})
    return Entry(
        name,
        str(given["task"]),
        when,
        given.get("args") or (),
        given.get("kwargs") or {},
        options,
        unknown=unknown,
    )


def when_of(app: Any, given: Any, last: datetime | None) -> tuple[When | None, str]:
    """The schedule, and what it is if nobody here knows it."""
    made: Any = maybe_schedule(given, app=app) if not hasattr(given, "is_due") else given
    if getattr(made, "app", None) is None and hasattr(made, "app"):
        made.app = app
    if isinstance(made, crontab):
        # Beat makes a crontab its own app's; only rows of a database have a zone of their own.
        zone = app.timezone if type(made) is crontab else made.tz
        return cron_of(made, str(zone)), ""
    if isinstance(made, solar):
        return Solar(made.event, float(made.lat), float(made.lon)), ""
    clocked = getattr(made, "clocked_time", None)
    if clocked is not None:
        return Once(clocked), ""
    every = getattr(made, "run_every", None)
    if isinstance(made, schedule) and isinstance(every, timedelta):
        return Every(every.total_seconds(), last), ""
    return None, f"{type(made).__module__}.{type(made).__name__}"


def cron_of(found: Any, zone: str) -> Cron:
    """Celery's crontab with its fields spread out."""
    return Cron(
        tuple(sorted(found.minute)),
        tuple(sorted(found.hour)),
        tuple(sorted(found.day_of_month)),
        tuple(sorted(found.month_of_year)),
        tuple(sorted(found.day_of_week)),
        zone,
    )


def _django(app: Any, configured: set[str]) -> list[Entry]:
    try:
        models: Any = import_module("django_celery_beat.models")
        rows = list(models.PeriodicTask.objects.all())
    except Exception as error:  # whatever Django or its database say is the answer
        raise UsageError(
            f"the rows of django-celery-beat cannot be read: {line_of(error)}"
        ) from None
    found = []
    for row in rows:
        # Its scheduler writes the configuration into rows: they are read once, where they are.
        if row.name in configured:
            continue
        when, unknown = when_of(app, row.schedule, row.last_run_at)
        options = {
            name: value
            for name in ("queue", "exchange", "routing_key", "priority", "expires")
            if (value := getattr(row, name, None)) is not None
        }
        if row.expire_seconds is not None:
            options["expires"] = row.expire_seconds
        headers = json.loads(row.headers or "{}")
        if headers:
            options["headers"] = headers
        found.append(
            Entry(
                row.name,
                row.task,
                when,
                json.loads(row.args or "[]"),
                json.loads(row.kwargs or "{}"),
                options,
                enabled=row.enabled,
                one_off=row.one_off,
                starts=row.start_time,
                source="django-celery-beat",
                unknown=unknown,
            )
        )
    return found


def _redbeat(app: Any) -> list[Entry]:
    try:
        schedulers: Any = import_module("redbeat.schedulers")
        settings = schedulers.RedBeatConfig(app)
        client = schedulers.get_redis(app)
        keys = client.zrange(settings.schedule_key, 0, -1)
        rows = [schedulers.RedBeatSchedulerEntry.from_key(key, app=app) for key in keys]
    except Exception as error:  # whatever the library or its Redis say is the answer
        raise UsageError(f"the keys of redbeat cannot be read: {line_of(error)}") from None
    found = []
    for row in rows:
        when, unknown = when_of(app, row.schedule, row.last_run_at)
        found.append(
            Entry(
                row.name,
                row.task,
                when,
                row.args or (),
                row.kwargs or {},
                row.options or {},
                enabled=row.enabled,
                source="redbeat",
                unknown=unknown,
            )
        )
    return found
