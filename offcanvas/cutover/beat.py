"""Beat's firings have names: ``entry@moment``, whoever fires them.

While an entry is handed over, beat and the schedule that follows it may both fire. Both send the
entry's task with the same id, and the claim lets one of them through. The moment of a crontab is
the minute that is due. Intervals are counted from a start that each side has for itself, so that
their moments differ: theirs is the turn, counted from the epoch, in which they fire. Each side
fires once in a turn, or a little late in the next one, and every turn goes through once.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from celery import beat
from celery.schedules import crontab

from offcanvas.celery_app.seam import route_for

if TYPE_CHECKING:
    from celery import Celery

_NAMED = "__offcanvas_named__"


def name_firings() -> None:
    """From now on beat, in this process, names what it sends of roots that are claimed."""
    own = beat.Scheduler.apply_async
    if hasattr(own, _NAMED):
        return

    def apply_async(self: Any, entry: Any, *args: Any, **kwargs: Any) -> Any:
        name = firing(self.app, entry)
        if name is not None and "task_id" not in entry.options:
            entry.options = {**entry.options, "task_id": name}
            try:
                return own(self, entry, *args, **kwargs)
            finally:
                entry.options = {k: v for k, v in entry.options.items() if k != "task_id"}
        return own(self, entry, *args, **kwargs)

    setattr(apply_async, _NAMED, True)
    beat.Scheduler.apply_async = apply_async  # type: ignore[method-assign]  # this is what it is for


def firing(app: Celery, entry: Any) -> str | None:
    """``entry@moment`` of what is due; None for roots that are not claimed."""
    route = route_for(app)
    rules = getattr(route, "live", None)
    rule = rules.now.roots.get(entry.task) if rules is not None else None
    if rule is None or rule.is_settled(time.time()):
        return None
    if isinstance(entry.schedule, crontab):
        last, delta, _ = entry.schedule.remaining_delta(entry.last_run_at)
        due: datetime = last + delta
        return f"{entry.name}@{due.astimezone(UTC).strftime('%Y-%m-%dT%H:%MZ')}"
    every = getattr(entry.schedule, "run_every", None)
    if not isinstance(every, timedelta) or not every:
        return None
    seconds = every.total_seconds()
    turn = datetime.fromtimestamp(time.time() // seconds * seconds, UTC)
    return f"{entry.name}@{turn.isoformat(timespec='milliseconds')}"
