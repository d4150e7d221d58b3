"""When an entry fires: by Celery's own code, by a Temporal server, by Prefect's own code."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.schedules import crontab

from offcanvas.schedules.entries import Cron

if TYPE_CHECKING:
    from temporalio.client import Client

#: Firings of one entry that are compared; an entry of every minute has more in 800 days.
MOST = 25_000
#: Days that a server is asked for at once, and the number of firings that it gives at most.
_WINDOW, _PAGE = timedelta(days=100), 1_000


def on_celery(when: Cron, start: datetime, end: datetime) -> list[datetime]:
    """The firings of a crontab in beat, in UTC: beat asks ``is_due`` and sleeps as it says."""
    app: Any = Celery("offcanvas-schedules", set_as_current=False)
    app.conf.timezone = when.zone
    zone = ZoneInfo(when.zone)
    now = start.astimezone(zone)
    make: Any = crontab  # the stubs do not know that fields may be sets
    found = make(
        minute=set(when.minute),
        hour=set(when.hour),
        day_of_week=set(when.day_of_week),
        day_of_month=_all_or(when.day_of_month, 31),
        month_of_year=_all_or(when.month, 12),
        nowfun=lambda: now,
        app=app,
    )
    last, fired = now, list[datetime]()
    while now.astimezone(UTC) < end and len(fired) < MOST:
        due, seconds = found.is_due(last)
        if due:
            fired.append(now.astimezone(UTC))
            last = now
        # A day in seconds of a clock that ticks evenly, not of one on a wall.
        step = max(float(seconds), 0.0)
        now = (now.astimezone(UTC) + timedelta(seconds=step or 1.0)).astimezone(zone)
    return [one for one in fired if start < one < end]


def _all_or(values: tuple[int, ...], most: int) -> Any:
    """Celery takes a shorter way for a star."""
    return "*" if len(values) == most else set(values)


async def on_temporal(client: Client, when: Cron, start: datetime, end: datetime) -> list[datetime]:
    """The firings of the Schedule that is emitted, by the server that would fire them."""
    from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
    from temporalio.client import (
        Schedule,
        ScheduleActionStartWorkflow,
        ScheduleSpec,
        ScheduleState,
    )

    from offcanvas.schedules.temporal import calendar

    handle = await client.create_schedule(
        f"compare-{id(when)}-{start.timestamp()}",
        Schedule(
            ScheduleActionStartWorkflow("none", id="none", task_queue="none"),
            ScheduleSpec(calendars=[calendar(when)], time_zone_name=when.zone),
            state=ScheduleState(paused=True),
        ),
    )
    try:
        found: list[datetime] = []
        begin = start
        while begin < end and len(found) < MOST:
            request = ListScheduleMatchingTimesRequest(
                namespace=client.namespace, schedule_id=handle.id
            )
            request.start_time.FromDatetime(begin.replace(tzinfo=None))
            until = min(begin + _WINDOW, end)
            request.end_time.FromDatetime(until.replace(tzinfo=None))
            answer = await client.workflow_service.list_schedule_matching_times(request, retry=True)
            page = [one.ToDatetime(UTC) for one in answer.start_time]
            found += page
            # A server answers with a limited number: it goes on behind the last one.
            begin = page[-1] if page and page[-1] > begin and len(page) >= _PAGE else until
    finally:
        await handle.delete()
    return [one for one in sorted(set(found)) if start < one < end]


def on_prefect(when: Cron, start: datetime, end: datetime) -> list[datetime]:
    """The firings of the deployment schedule that is emitted, by the code of Prefect's server."""
    from prefect.server.schemas.schedules import CronSchedule

    schedule = CronSchedule(cron=when.text, timezone=when.zone, day_or=False)
    return list(itertools.islice(_pages(schedule, start, end), MOST))


def _page(schedule: Any, begin: datetime, end: datetime) -> list[datetime]:
    # With whenever 0.10.5 on Python below 3.13, get_dates of Prefect 3.9 ends in "tzinfo must be of
    # type ZoneInfo (exactly)"; what it calls in the end takes one.
    inner = getattr(schedule, "_get_dates_whenever", None)
    if inner is None:
        found: list[datetime] = asyncio.run(schedule.get_dates(n=500, start=begin, end=end))
        return found
    return sorted(inner(500, begin.astimezone(ZoneInfo(schedule.timezone)), end))


def _pages(schedule: Any, start: datetime, end: datetime) -> Iterator[datetime]:
    begin = start + timedelta(seconds=1)
    while begin < end:
        page = _page(schedule, begin, end)
        found = [datetime.fromtimestamp(one.timestamp(), UTC) for one in page]
        yield from (one for one in found if one < end)
        if not found:
            return
        begin = found[-1] + timedelta(seconds=1)
