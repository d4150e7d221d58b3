"""The activities: `shared.steps` as Temporal calls them.

They are coroutines of the worker that have each step done by a process of its pool
(`temporal_impl.pool`). Most are one step; the long ones walk over many, and report their progress
with each heartbeat, so that the next attempt goes on where this one stopped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from temporalio import activity

from shared import steps, workloads
from shared.variants import OBJECTION
from temporal_impl.inputs import Center, Chunk, Failure, Parts, Run, Station
from temporal_impl.pool import Pool
from temporal_impl.progress import Progress


def attempt() -> int:
    """The number of this execution, from 1."""
    return activity.info().attempt


class Activities:
    """What a worker can do."""

    def __init__(self, pool: Pool) -> None:
        self._do = pool.do

    @property
    def all(self) -> list[Callable[..., Awaitable[Any]]]:
        """All of them, as `Worker` wants them."""
        members = [getattr(self, name) for name in vars(type(self)) if name != "all"]
        return [member for member in members if hasattr(member, "__temporal_activity_definition")]

    @activity.defn
    async def assign_all(self, run: Run) -> list[str]:
        """Assign every voter; returns the ids of the stations, in order."""
        await self._do(partial(steps.assign_all, run.run_id, attempt=attempt()))
        return await self._do(partial(steps.list_stations, run.run_id))

    @activity.defn
    async def list_centers(self, _run: Run) -> list[str]:
        """The ids of all centers, in order."""
        return await self._do(steps.list_centers)

    @activity.defn
    async def assign_center(self, center: Center) -> int:
        """Assign the voters of one center; returns the number of its stations."""
        return await self._do(
            partial(steps.assign_center, center.run_id, center.center_id, attempt=attempt())
        )

    @activity.defn
    async def generate_roll(self, station: Station) -> int:
        """Print one station's roll; returns its pages."""
        return await self._do(
            partial(steps.generate_roll, station.run_id, station.station_id, attempt=attempt())
        )

    @activity.defn
    async def sum_pages(self, parts: Parts) -> int:
        """The fan-in."""
        return await self._do(
            partial(steps.sum_pages, parts.run_id, parts.pages, attempt=attempt())
        )

    @activity.defn
    async def publish_summary(self, run: Run) -> int:
        """Make the sum public; returns it."""
        return await self._do(partial(steps.publish_summary, run.run_id, attempt=attempt()))

    @activity.defn
    async def object_to(self, station: Station) -> None:
        """Forbid the roll of a station."""
        await self._do(partial(steps.object_to, station.run_id, station.station_id, OBJECTION))

    @activity.defn
    async def record_error(self, failure: Failure) -> None:
        """The error callback."""
        await self._do(
            partial(steps.record_error, failure.run_id, failure.error, attempt=attempt())
        )

    @activity.defn
    async def missing_rolls(self, run: Run) -> list[str]:
        """The stations whose roll the database or the disk lacks."""
        return await self._do(partial(steps.missing_rolls, run.run_id))

    @activity.defn
    async def sum_printed_pages(self, run: Run) -> int:
        """The fan-in from the database, which knows the parts when nobody else does any more."""
        pages = await self._do(partial(steps.printed_pages, run.run_id))
        return await self._do(partial(steps.sum_pages, run.run_id, pages, attempt=attempt()))

    @activity.defn
    async def everything(self, run: Run) -> int:
        """All of it in one activity; returns the sum of the pages."""
        progress = Progress(self._do)
        pages = []
        for center_id in await self._do(steps.list_centers):
            await progress.once(steps.assign_center, run.run_id, center_id)
            stations = await self._do(partial(steps.list_stations, run.run_id, center_id))
            pages += await _rolls(progress, run.run_id, stations)
        return await self._do(partial(steps.sum_pages, run.run_id, pages, attempt=attempt()))

    @activity.defn
    async def rolls_of_center(self, center: Center) -> int:
        """Assign one center and print its rolls; returns their pages."""
        progress = Progress(self._do)
        await progress.once(steps.assign_center, center.run_id, center.center_id)
        stations = await self._do(partial(steps.list_stations, center.run_id, center.center_id))
        return sum(await _rolls(progress, center.run_id, stations))

    @activity.defn
    async def rolls_one_by_one(self, run: Run) -> list[int]:
        """Print every roll of the run, one after the other; returns the pages of each.

        The stations are read here: as an argument, 100,000 of them would be over Temporal's 2 MB.
        """
        stations = await self._do(partial(steps.list_stations, run.run_id))
        return await _rolls(Progress(self._do), run.run_id, stations)

    @activity.defn
    async def rolls_of_chunk(self, chunk: Chunk) -> list[int]:
        """Print the rolls of a few stations, one after the other; returns the pages of each."""
        return await _rolls(Progress(self._do), chunk.run_id, chunk.station_ids)

    @activity.defn
    async def noop(self, index: int) -> int:
        """Do nothing, and count as one."""
        return await self._do(partial(workloads.noop, index))

    @activity.defn
    async def nap(self, index: int) -> int:
        """Wait a tenth of a second, and count as one."""
        return await self._do(partial(workloads.nap, index))

    @activity.defn
    async def fib(self, n: int) -> int:
        """The n-th Fibonacci number."""
        return await self._do(partial(workloads.fib, n))


async def _rolls(progress: Progress, run_id: str, station_ids: Iterable[str]) -> list[int]:
    return [await progress.once(steps.generate_roll, run_id, station) for station in station_ids]
