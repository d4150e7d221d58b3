"""Members of a group that run together: how many, and which.

A driver that batches hands each call to ``Batches`` and gets its outcome back, so that the walk
knows nothing of it: a retry, a delay or a replacement is the walk's next call, and goes with
whatever waits then. Calls of one task go together, in the order in which they came.

How many is a number, or ``"auto"``: as many as take about ``TARGET`` seconds. What one takes is
learnt while the group runs, from a few that go alone at first. A batch that has had its time gives
back what it has not begun (``LEFT``), so that one estimate that was wrong costs little.

Nothing here reads a clock or does I/O: it runs inside a Temporal workflow as well, where what was
learnt comes from the results of activities, and so from the history.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from offcanvas.canvas.calls import FAILURE, LEFT, REFUSED, REVOKED, TaskCall, TaskOutcome
from offcanvas.canvas.title import shortened
from offcanvas.errors import UsageError

#: How many members go together: None for one by one.
Batch: TypeAlias = int | Literal["auto"] | None

#: Seconds that a batch is to take with "auto".
TARGET = 0.5
#: Members of a batch at the most: what they are called with and come to is one message each.
MOST = 500
#: Batches that a group is cut into at the least, for workers that have nothing to do.
SPREAD = 8
#: Members that go alone until it is known what one takes.
PROBES = 8
#: Failures that are named in the words for a batch.
_NAMED = 5

#: Whether the present branch has siblings.
_wide: ContextVar[bool] = ContextVar("offcanvas_wide", default=False)


def batch_of(given: object, where: str = "batch=") -> Batch:
    """``given`` if it says how many members go together.

    Raises:
        UsageError: it does not.
    """
    if given is None or given == "auto":
        return given
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST:
        return given
    raise UsageError(
        f"{where}{given!r:.40} says nothing: it is None for one by one, 'auto', or how many "
        f"members of a group run together, 1 to {MOST}"
    )


def batch_of_word(word: str, where: str = "--batch ") -> Batch:
    """The same of a word from a command line: ``none``, ``auto`` or a number.

    Raises:
        UsageError: it is something else.
    """
    if word == "none":
        return None
    try:
        return batch_of(int(word) if word.isdecimal() else word, where)
    except UsageError:
        raise UsageError(
            f"{where}{word:.40} says nothing: it is none, auto, or how many members of a group run "
            f"together, 1 to {MOST}"
        ) from None


def with_siblings() -> None:
    """The branch that is walked from here on has siblings, with which its tasks may run."""
    _wide.set(True)


def has_siblings() -> bool:
    """Whether the present branch has siblings."""
    return _wide.get()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a batch came to.

    Attributes:
        outcomes: one for each call, in their order; ``LEFT`` for one that has not begun.
        seconds: that those took which ran.
        ran: how many those were.
    """

    outcomes: Sequence[TaskOutcome]
    seconds: float = 0.0
    ran: int = 0


@dataclass(slots=True)
class _Waiting:
    """A call, and who waits for its outcome."""

    call: TaskCall
    outcome: asyncio.Future[TaskOutcome]


@dataclass(slots=True)
class _Kind:
    """The calls that may go together."""

    name: str
    waiting: deque[_Waiting] = field(default_factory=deque)
    probing: int = 0
    patience: asyncio.Task[None] | None = None


class Batches:
    """Collects calls and has them run together.

    Args:
        batch: how many, see the module's first lines.
        run: runs some calls of one kind, in their order.
        alone: runs one that is not to run with others.
        kind: what calls that may go together have in common, beside their name.
        in_flight: batches under way at a time.
        sleep: waits; a timer that replays where the engine replays.
        pace: seconds that a task takes, by its name, as far as that is known.
    """

    def __init__(
        self,
        batch: int | Literal["auto"],
        *,
        run: Callable[[Sequence[TaskCall]], Awaitable[Ran]],
        alone: Callable[[TaskCall, bool], Awaitable[TaskOutcome]],
        kind: Callable[[TaskCall], Any] = lambda _: None,
        in_flight: int,
        sleep: Callable[[float], Awaitable[None]],
        pace: Iterable[tuple[str, float]] = (),
    ) -> None:
        self.pace = dict(pace)
        self._batch = batch
        self._run = run
        self._alone = alone
        self._kind = kind
        self._room = in_flight
        self._sleep = sleep
        self._kinds: dict[Any, _Kind] = {}
        self._flying: set[asyncio.Task[None]] = set()
        self._sorting: asyncio.Task[None] | None = None

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """The outcome of the call, when its batch is there."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(call, loop.create_future())
        name = (call.name, self._kind(call))
        self._kinds.setdefault(name, _Kind(call.name)).waiting.append(waiting)
        self._wake()
        return await waiting.outcome

    def close(self) -> None:
        """Nobody waits for outcomes any more."""
        for flight in self._flying:
            flight.cancel()
        for kind in self._kinds.values():
            if kind.patience is not None:
                kind.patience.cancel()

    def _wake(self) -> None:
        # After all that is ready to run now: siblings that are on their way come along.
        if self._sorting is None:
            self._sorting = asyncio.create_task(self._sort())

    async def _sort(self) -> None:
        self._sorting = None
        for kind in self._kinds.values():
            most = self._most(kind)
            while kind.waiting and self._room:
                known = kind.name in self.pace or self._batch != "auto"
                if not known and kind.probing >= PROBES:
                    self._be_patient(kind)
                    break
                count = min(most, len(kind.waiting))
                self._start(kind, [kind.waiting.popleft() for _ in range(count)], probe=not known)

    def _most(self, kind: _Kind) -> int:
        if self._batch != "auto":
            return self._batch
        pace = self.pace.get(kind.name)
        if pace is None:
            return 1
        in_time = MOST if pace * MOST <= TARGET else int(TARGET / pace)
        return max(1, min(in_time, MOST, -(-len(kind.waiting) // SPREAD)))

    def _start(self, kind: _Kind, members: list[_Waiting], *, probe: bool) -> None:
        self._room -= 1
        kind.probing += probe
        flight = asyncio.create_task(self._fly(kind, members, probe=probe))
        self._flying.add(flight)
        flight.add_done_callback(self._flying.discard)

    async def _fly(self, kind: _Kind, members: list[_Waiting], *, probe: bool) -> None:
        try:
            ran = await self._run([one.call for one in members])
        except BaseException as error:
            for one in members:
                if not one.outcome.done():
                    # CancelledError, too: whoever waits is cut short as this one was.
                    one.outcome.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        finally:
            self._room += 1
            kind.probing -= probe
            self._wake()
        self._learn(kind, ran)
        again: list[_Waiting] = []
        for one, outcome in zip(members, ran.outcomes, strict=True):
            if one.outcome.done():  # whoever waited is gone
                continue
            if outcome.state != LEFT:
                one.outcome.set_result(outcome)
            elif outcome.why:
                self._go_alone(one, outcome)
            else:
                again.append(one)
        kind.waiting.extendleft(reversed(again))

    def _go_alone(self, one: _Waiting, left: TaskOutcome) -> None:
        async def go() -> None:
            try:
                outcome = await self._alone(one.call, left.why == "told")
            except BaseException as error:
                if not one.outcome.done():
                    one.outcome.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                if not one.outcome.done():
                    one.outcome.set_result(outcome)

        flight = asyncio.create_task(go())
        self._flying.add(flight)
        flight.add_done_callback(self._flying.discard)

    def _learn(self, kind: _Kind, ran: Ran) -> None:
        if ran.ran and ran.seconds > 0:
            each = ran.seconds / ran.ran
            before = self.pace.get(kind.name, each)
            # The first that a process runs takes longer than those that follow.
            self.pace[kind.name] = min((before + each) / 2, 2 * each)
            if kind.patience is not None:
                kind.patience.cancel()

    def _be_patient(self, kind: _Kind) -> None:
        """Where the first ones take longer than a batch is to take, the others go alone as well."""
        if kind.patience is None:
            kind.patience = asyncio.create_task(self._lose_patience(kind))

    async def _lose_patience(self, kind: _Kind) -> None:
        await self._sleep(TARGET)
        self.pace.setdefault(kind.name, TARGET)
        self._wake()


def told(calls: Sequence[TaskCall], outcomes: Sequence[Mapping[str, Any]]) -> str:
    """A batch in words: ``98 SUCCESS, 2 FAILURE: [3] ValueError: boom, [7] ValueError: boom``."""
    counts = Counter(outcome["state"] for outcome in outcomes)
    text = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    failed = [
        f"[{place if call.group_index is None else call.group_index}] "
        f"{outcome['error']['exc_type']}: {outcome['error']['exc_message']}"
        for place, (call, outcome) in enumerate(zip(calls, outcomes, strict=True))
        if outcome["state"] in {FAILURE, REFUSED, REVOKED} and outcome.get("error")
    ]
    if failed:
        text += ": " + ", ".join(shortened(one, 120) for one in failed[:_NAMED])
        text += ", ..." if len(failed) > _NAMED else ""
    return text
