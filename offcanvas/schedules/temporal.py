"""A calendar of Temporal's for a crontab, and the source that makes the schedules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from offcanvas.schedules.entries import Cron, Entry, Every, Once, Solar
from offcanvas.schedules.printed import printed

if TYPE_CHECKING:
    from temporalio.client import ScheduleCalendarSpec

#: Beat sends a missed firing once, as soon as it is back; Temporal would catch up for a year.
_CATCH_UP = 3_600.0


def calendar(when: Cron) -> ScheduleCalendarSpec:
    """The calendar that fits when all five fields of the crontab do."""
    from temporalio.client import ScheduleCalendarSpec, ScheduleRange

    def ranges(values: Iterable[int]) -> list[ScheduleRange]:
        return [ScheduleRange(first, last) for first, last in _runs(values)]

    return ScheduleCalendarSpec(
        minute=ranges(when.minute),
        hour=ranges(when.hour),
        day_of_month=ranges(when.day_of_month),
        month=ranges(when.month),
        day_of_week=ranges(when.day_of_week),
    )


def _runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Values next to each other as one range."""
    found: list[list[int]] = []
    for value in values:
        if found and value == found[-1][1] + 1:
            found[-1][1] = value
        else:
            found.append([value, value])
    return [(first, last) for first, last in found]


def source(entries: Sequence[Entry], app: str) -> str:
    """``schedules.py``: creates or updates all schedules, paused, and has a worker for them."""
    return _HEAD.format(app=app) + printed(entries, _entry) + _TAIL


def _entry(entry: Entry) -> str | None:
    when = entry.when
    spec, notes = "", []
    match when:
        case Cron():
            fields = {
                "minute": (when.minute, 60),
                "hour": (when.hour, 24),
                "day_of_month": (when.day_of_month, 31),
                "month": (when.month, 12),
                "day_of_week": (when.day_of_week, 7),
            }
            given = ", ".join(
                f"{name}={_ranges(values, every=len(values) == most)}"
                for name, (values, most) in fields.items()
            )
            calendars = f"[ScheduleCalendarSpec({given})]"
            spec = f"ScheduleSpec(calendars={calendars}, time_zone_name={when.zone!r}"
            catch_up = min(_CATCH_UP, _shortest(when))
        case Every():
            offset = when.anchor.timestamp() % when.seconds if when.anchor else 0.0
            every = f"timedelta(seconds={when.seconds:g})"
            interval = (
                f"ScheduleIntervalSpec(every={every}, offset=timedelta(seconds={offset:.3f}))"
            )
            spec = f"ScheduleSpec(intervals=[{interval}]"
            catch_up = min(_CATCH_UP, when.seconds)
            if when.seconds >= 3_600 and 86_400 % when.seconds == 0:
                notes.append("DECIDE: beat counts from its start; was an hour of the day meant?")
            if when.anchor is None:
                notes.append("DECIDE: beat counts from its start, which nobody has kept")
        case _:
            return None
    if entry.starts is not None:
        spec += f", start_at=datetime.fromisoformat({entry.starts.isoformat()!r})"
    return "\n".join(
        [
            *(f"    # {note}" for note in notes),
            "    Entry(",
            f"        name={entry.name!r},",
            f"        task={entry.task!r},",
            f"        args={list(entry.args)!r},",
            f"        kwargs={dict(entry.kwargs)!r},",
            f"        options={dict(entry.options)!r},",
            f"        spec={spec}),",
            f"        every={when.seconds if isinstance(when, Every) else None!r},",
            f"        catch_up={max(catch_up, 10.0):g},",
            f"        once={entry.one_off!r},",
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
                "a solar event has another time each day: start a daily workflow before it, which "
                "computes the moment and sleeps until then"
            )
        case Once(at=at):
            return f"it fires once, at {at.isoformat()}: start the workflow with start_delay"
        case _:
            return ""


def _ranges(values: Sequence[int], *, every: bool) -> str:
    if every:
        return f"[ScheduleRange({values[0]}, {values[-1]})]"
    runs = ", ".join(
        f"ScheduleRange({first})" if first == last else f"ScheduleRange({first}, {last})"
        for first, last in _runs(values)
    )
    return f"[{runs}]"


def _shortest(when: Cron) -> float:
    if len(when.minute) > 1:
        gaps = [after - before for before, after in zip(when.minute, when.minute[1:], strict=False)]
        return 60.0 * min(gaps)
    return 3_600.0


_HEAD = '''"""Schedules on Temporal for beat's entries; written by `offcanvas schedules`, and yours.

`python schedules.py create` creates or updates all of them, paused. `python schedules.py worker`
serves them: each firing sends the entry's task, as beat does, with the id `entry@moment`.
"""

import asyncio
import atexit
import importlib
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import RetryPolicy
from temporalio.envconfig import ClientConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

APP = {app!r}
TASK_QUEUE = "schedules"

# A thread of the SDK may still be letting go of Python when a script ends: that would crash it.
atexit.register(time.sleep, 0.05)


@dataclass(frozen=True)
class Entry:
    name: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    spec: ScheduleSpec
    every: float | None
    catch_up: float
    once: bool
    enabled: bool


'''
_TAIL = '''

def named(entry: Entry, at: datetime) -> str:
    """The id of a firing, the same in beat: the minute of a crontab, the turn of an interval."""
    if entry.every is None:
        return f"{entry.name}@{at.astimezone(UTC).strftime('%Y-%m-%dT%H:%MZ')}"
    turn = datetime.fromtimestamp(at.timestamp() // entry.every * entry.every, UTC)
    return f"{entry.name}@{turn.isoformat(timespec='milliseconds')}"


@activity.defn
def send(name: str, scheduled: str) -> str:
    """Send the entry's task; a firing that is sent again has the same id."""
    entry = next(one for one in ENTRIES if one.name == name)
    module, _, attribute = APP.partition(":")
    app: Any = getattr(importlib.import_module(module), attribute)
    app.loader.import_default_modules()
    task_id = named(entry, datetime.fromisoformat(scheduled))
    options = {**entry.options, "task_id": task_id}
    if entry.task in app.tasks:
        app.tasks[entry.task].apply_async(entry.args, entry.kwargs, **options)
    else:
        app.send_task(entry.task, entry.args, entry.kwargs, **options)
    return task_id


@workflow.defn
class BeatEntry:
    """One firing."""

    @workflow.run
    async def run(self, name: str) -> str:
        attributes = workflow.info().typed_search_attributes
        at = next(
            (pair.value for pair in attributes if pair.key.name == "TemporalScheduledStartTime"),
            workflow.info().start_time,
        )
        return await workflow.execute_activity(
            send,
            args=[name, at.isoformat()],
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
        )


def schedule(entry: Entry) -> Schedule:
    """Beat sends whatever still runs, and a missed firing once."""
    return Schedule(
        ScheduleActionStartWorkflow(
            BeatEntry.run, entry.name, id=f"beat/{entry.name}", task_queue=TASK_QUEUE
        ),
        entry.spec,
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.ALLOW_ALL,
            catchup_window=timedelta(seconds=entry.catch_up),
        ),
        state=ScheduleState(
            paused=True,
            note="from beat" if entry.enabled else "from beat, where it is switched off",
            limited_actions=entry.once,
            remaining_actions=1 if entry.once else 0,
        ),
    )


async def create(client: Client) -> None:
    """Create or update all; one that was resumed stays so."""
    for entry in ENTRIES:
        name = f"beat/{entry.name}"
        try:
            await client.create_schedule(name, schedule(entry))
        except ScheduleAlreadyRunningError:

            def changed(given: ScheduleUpdateInput, entry: Entry = entry) -> ScheduleUpdate:
                new = schedule(entry)
                new.state = given.description.schedule.state
                return ScheduleUpdate(schedule=new)

            await client.get_schedule_handle(name).update(changed)
        print(name)


async def worker(client: Client) -> None:
    """Serve the firings until it is stopped."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        await Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[BeatEntry],
            activities=[send],
            activity_executor=pool,
            workflow_runner=UnsandboxedWorkflowRunner(),
        ).run()


async def main() -> None:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    await {"create": create, "worker": worker}[sys.argv[1]](client)


if __name__ == "__main__":
    asyncio.run(main())
'''
