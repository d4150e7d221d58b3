"""Several calls, one after the other in one process of a pool, whatever becomes of the process.

Each has its own limits, outcome and end. A process that dies with one of them, or is killed at the
time limit of one, takes that one along: those before it have ended, and the result backend says
how; those behind it go on in another process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offcanvas.canvas.calls import LEFT, TaskCall
from offcanvas.canvas.stamps import names_of
from offcanvas.celery_app.time_limits import limits_of
from offcanvas.engines.processes import members, process
from offcanvas.engines.processes.board import Board, now
from offcanvas.engines.processes.counted import Counted
from offcanvas.engines.processes.pool import Pool, PoolProcess, ProcessLostError, killed

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.engines.processes.members import Work

#: Seconds for which a member may begin that nobody has stopped, where no server has a say.
FOREVER = 1e18


class BatchRun:
    """A batch at work.

    Args:
        app: the app.
        pool: whose processes run it.
        calls: the members.
        raws: what ``work`` needs for each.
        work: runs one member in the process.
        target: seconds after which no further member begins; None for no such limit.
        room: characters that the outcomes may come to before no further member begins.
        until: when the leave to begin ends, unless ``extend`` is called.
        engine: metrics count the members as tasks of this engine, each with an equal part of the
            batch's time.
        sent: when the batch was sent, in UTC seconds; now unless given.
    """

    def __init__(
        self,
        app: Celery,
        pool: Pool,
        calls: Sequence[TaskCall],
        raws: Sequence[Mapping[str, Any]],
        *,
        work: Work,
        target: float | None = None,
        room: int | None = None,
        until: float = FOREVER,
        engine: str = "",
        sent: float | None = None,
    ) -> None:
        self.seconds = 0.0
        self.ran = 0
        self._app = app
        self._pool = pool
        self._calls = calls
        self._raws = raws
        self._work = work
        self._target = target
        self._room = room
        self._until = until
        self._stops = False
        self._process: PoolProcess | None = None
        self._ended: dict[int, dict[str, Any]] = {}
        self._terminated: set[int] = set()
        self._counted = [Counted(engine, call.name, sent) for call in calls]
        self._limits = [limits_of(app, call)[0] for call in calls]

    # -- from outside, while it runs

    @property
    def ended(self) -> int:
        """How many members have ended, as far as one can see from here."""
        board = self._board
        return len(self._ended) if board is None else max(len(self._ended), board.begun - 1)

    def has(self, names: Collection[str]) -> bool:
        """Whether a member has one of these names."""
        return any(not set(names_of(call)).isdisjoint(names) for call in self._calls)

    def extend(self, until: float) -> None:
        """Members may begin until then."""
        self._until = until
        if self._board is not None:
            self._board.extend(until)

    def stop(self) -> None:
        """The member that runs may end; no other one begins."""
        self._stops = True
        if self._board is not None:
            self._board.stop()

    def terminate(self, names: Collection[str] | None) -> None:
        """End the member that runs if it has one of these names (``stamps.names_of``).

        None is for any.
        """
        board = self._board
        running = 0 if board is None else board.begun
        if running and (
            names is None or not set(names_of(self._calls[running - 1])).isdisjoint(names)
        ):
            self._terminated.add(running - 1)
            self.kill()

    def kill(self) -> None:
        """End the member that runs."""
        if self._process is not None:
            self._process.kill()

    @property
    def _board(self) -> Board | None:
        return None if self._process is None else self._process.board

    # -- the work

    async def run(self) -> list[dict[str, Any]]:
        """An outcome for each member, ``LEFT`` for one that has not begun.

        Raises:
            Exception: what ``work`` has raised for a member: the result backend fails, and nothing
                is known of that one.
        """
        done = 0
        begun = time.monotonic()
        if any(limit is not None for limit in self._limits):
            await self._pool.do(process.storage_proven, None)
        lost = True
        while lost and done < len(self._calls) and not self._stops:
            left = None if self._target is None else self._target - (time.monotonic() - begun)
            if done and left is not None and left <= 0:
                break
            done, lost = await self._run_from(done, left)
        return [self._ended.get(place, {"state": LEFT}) for place in range(len(self._calls))]

    async def _run_from(self, first: int, target: float | None) -> tuple[int, bool]:
        """Run members from ``first`` on in one process.

        Returns the place of the first that has not begun, and whether the process was lost.
        """
        async with self._pool.process() as one:
            one.board.clear()
            one.board.extend(self._until)
            self._process = one
            if self._stops:
                one.board.stop()
            begun = time.monotonic()
            working = asyncio.create_task(
                one.call(
                    members.run_members,
                    self._work,
                    list(self._raws[first:]),
                    first,
                    target,
                    self._room,
                )
            )
            try:
                out_of_time = await self._watched(one, working)
                outcomes = working.result()
            except ProcessLostError as error:
                why = str(error)
            except BaseException:
                if not working.done():
                    await killed(one, working)
                raise
            else:
                self._ended.update(enumerate(outcomes, first))
                took = time.monotonic() - begun
                self.seconds += took
                self.ran += len(outcomes)
                for place, outcome in enumerate(outcomes, first):
                    self._counted[place].begun(took / len(outcomes))
                    self._counted[place].ended(outcome["state"])
                return first + len(outcomes), False
            finally:
                self._process = None
            running = one.board.begun - 1
        # One that could not even begin is lost all the same, as is a call that comes alone.
        running = max(running, first)
        await self._ask_after(range(first, running), why)
        self._ended[running] = await self._without(running, why, out_of_time=out_of_time)
        return running + 1, True

    async def _watched(self, one: PoolProcess, working: asyncio.Task[Any]) -> bool:
        """Wait for the process; whether a member was killed at its limit."""
        while not working.done():
            await asyncio.wait({working}, timeout=self._time_left(one.board))
            if working.done() or not self._is_over(one.board):
                continue
            over = one.board.begun

            def is_still(over: int = over) -> bool:
                return one.board.begun == over and self._is_over(one.board)

            # It may end in this moment, and the next one begin, which is not to be killed for it.
            if await one.frozen(is_still):
                await killed(one, working)
                return True
        return False

    def _time_left(self, board: Board) -> float | None:
        """Seconds until it is worth to look at the limit of the member that runs."""
        if all(limit is None for limit in self._limits):
            return None
        limit = self._limits[board.begun - 1] if board.begun else None
        if limit is None:
            return min(one for one in self._limits if one is not None)
        return max(0.001, board.since + limit - now())

    def _is_over(self, board: Board) -> bool:
        limit = self._limits[board.begun - 1] if board.begun else None
        return limit is not None and now() >= board.since + limit

    async def _ask_after(self, places: range, why: str) -> None:
        """Those that had ended when their process died: the result backend knows how."""
        raws = [self._raws[place] for place in places]
        found = await self._pool.do(members.ended_members, raws) if raws else []
        for place, known in zip(places, found, strict=True):
            lost = {**self._raws[place], "why": why}
            self._counted[place].begun()
            if known is None:
                self._counted[place].lost(again=False)
                self._ended[place] = await self._pool.do(process.lose_task, lost)
            else:
                self._counted[place].ended(known["state"])
                self._ended[place] = known

    async def _without(self, place: int, why: str, *, out_of_time: bool) -> dict[str, Any]:
        """The outcome of the member that was running when its process died."""
        call, raw = self._calls[place], self._raws[place]
        (known,) = await self._pool.do(members.ended_members, [raw])
        counted = self._counted[place]
        counted.begun()
        if known is not None:
            counted.ended(known["state"])
            return known
        if place in self._terminated:
            counted.revoked()
            return await self._pool.do(process.revoke_task, {**raw, "terminated": True})
        limit = self._limits[place]
        if out_of_time and limit is not None:
            counted.timed_out()
            return await self._pool.do(process.time_out_task, raw, limit)
        task = self._app.tasks.get(call.name)
        again = task is not None and task.acks_late and task.reject_on_worker_lost
        counted.lost(again=bool(again))
        if again:
            return {"state": LEFT, "why": "alone"}
        return await self._pool.do(process.lose_task, {**raw, "why": why})
