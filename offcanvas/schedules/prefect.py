"""The source that makes deployments with schedules on Prefect."""

from __future__ import annotations

from collections.abc import Sequence

from offcanvas.schedules.entries import Cron, Entry, Every, Once, Solar
from offcanvas.schedules.printed import printed


def source(entries: Sequence[Entry], app: str) -> str:
    """``schedules.py``: a deployment for each entry, its schedule inactive, and their worker."""
    return _HEAD.format(app=app) + printed(entries, _entry) + _TAIL


def _entry(entry: Entry) -> str | None:
    when, notes = entry.when, []
    match when:
        case Cron():
            # Celery wants the day of the month and the weekday to fit, cron one of the two.
            schedule = f"CronSchedule(cron={when.text!r}, timezone={when.zone!r}, day_or=False)"
        case Every():
            anchor = ""
            if when.anchor is not None:
                anchor = f", anchor_date=datetime.fromisoformat({when.anchor.isoformat()!r})"
            else:
                notes.append("DECIDE: beat counts from its start, which nobody has kept")
            schedule = f"IntervalSchedule(interval=timedelta(seconds={when.seconds:g}){anchor})"
            if when.seconds >= 3_600 and 86_400 % when.seconds == 0:
                notes.append("DECIDE: beat counts from its start; was an hour of the day meant?")
        case _:
            return None
    if entry.one_off:
        notes.append("DECIDE: beat fires it once; a schedule here fires until it is deactivated")
    if entry.starts is not None:
        notes.append(f"DECIDE: beat begins at {entry.starts.isoformat()}; activate it then")
    return "\n".join(
        [
            *(f"    # {note}" for note in notes),
            "    Entry(",
            f"        name={entry.name!r},",
            f"        task={entry.task!r},",
            f"        args={list(entry.args)!r},",
            f"        kwargs={dict(entry.kwargs)!r},",
            f"        options={dict(entry.options)!r},",
            f"        schedule={schedule},",
            f"        every={when.seconds if isinstance(when, Every) else None!r},",
            f"        enabled={entry.enabled!r},",
            "    ),",
        ]
    )


def why_not(entry: Entry) -> str:
    """Why there is no schedule for an entry; empty if there is one."""
    match entry.when:
        case None:
            return f"its schedule is a {entry.unknown}, which nobody here knows"
        case Solar():
            return (
                "a solar event has another time each day: let a daily flow compute the moment and "
                "create a flow run scheduled for it"
            )
        case Once(at=at):
            return f"it fires once, at {at.isoformat()}: create one flow run scheduled for then"
        case _:
            return ""


_HEAD = '''"""Deployments on Prefect for beat's entries, written by `offcanvas schedules`; yours.

`python schedules.py worker` registers all of them, with schedules that are not active, and serves
them: each firing sends the entry's task, as beat does, with the id `entry@moment`.
"""

import importlib
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, serve
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.runtime import flow_run
from prefect.schedules import Schedule

APP = {app!r}


@dataclass(frozen=True)
class Entry:
    name: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    schedule: CronSchedule | IntervalSchedule
    every: float | None
    enabled: bool


'''
_TAIL = '''

def named(entry: Entry, at: datetime) -> str:
    """The id of a firing, the same in beat: the minute of a crontab, the turn of an interval."""
    if entry.every is None:
        return f"{entry.name}@{at.astimezone(UTC).strftime('%Y-%m-%dT%H:%MZ')}"
    turn = datetime.fromtimestamp(at.timestamp() // entry.every * entry.every, UTC)
    return f"{entry.name}@{turn.isoformat(timespec='milliseconds')}"


@flow(name="beat")
def beat(name: str) -> str:
    """Send the entry's task; a firing that is sent again has the same id."""
    entry = next(one for one in ENTRIES if one.name == name)
    module, _, attribute = APP.partition(":")
    app: Any = getattr(importlib.import_module(module), attribute)
    app.loader.import_default_modules()
    task_id = named(entry, flow_run.scheduled_start_time)
    options = {**entry.options, "task_id": task_id}
    if entry.task in app.tasks:
        app.tasks[entry.task].apply_async(entry.args, entry.kwargs, **options)
    else:
        app.send_task(entry.task, entry.args, entry.kwargs, **options)
    return task_id


def schedule(given: CronSchedule | IntervalSchedule) -> Schedule:
    """Not active until somebody says so."""
    if isinstance(given, CronSchedule):
        return Schedule(
            cron=given.cron, timezone=given.timezone, day_or=given.day_or, active=False
        )
    return Schedule(interval=given.interval, anchor_date=given.anchor_date, active=False)


def deployments() -> list[RunnerDeployment]:
    """One for each entry."""
    return [
        beat.to_deployment(
            name=entry.name, parameters={"name": entry.name}, schedule=schedule(entry.schedule)
        )
        for entry in ENTRIES
    ]


if __name__ == "__main__":
    if sys.argv[1:] != ["worker"]:
        sys.exit("python schedules.py worker")
    serve(*deployments())
'''
