"""The lab's end of `shared.probe`: hears every point that a step reaches, and may hold the step."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared.probe import DEAF, FINISHED, GO
from shared.steps import GENERATE


class Stopped(BaseException):
    """The lab is to end: not an error of a fault, and not to be caught by one."""


class NotReached(RuntimeError):  # noqa: N818 - reads as the fact it reports
    """No step came to where the fault was to be injected."""


@dataclass(frozen=True, slots=True)
class Event:
    """A step has reached a point; `at` is in UTC seconds, by the step's own process."""

    point: str
    run_id: str
    step: str
    item: str
    attempt: int
    pid: int
    at: float


@dataclass
class Held:
    """A step that waits for our answer; at `finished` it does not wait, and answers are lost."""

    event: Event
    connection: socket.socket
    hangs: bool = False

    def hang(self, *, deaf: bool = False) -> None:
        """Never answer it; a deaf one is told to ignore the signals of time limits as well."""
        self.hangs = True
        if deaf:
            self._answer(DEAF)

    def release(self) -> None:
        """Let it go on; one that has died meanwhile does not mind."""
        self._answer(GO)

    def _answer(self, answer: bytes) -> None:
        with contextlib.suppress(OSError):
            self.connection.sendall(answer)
        if answer == GO:
            self.connection.close()


@dataclass
class Trap:
    """Catches steps of a run at a point, `times` of them; `None` for every one."""

    point: str
    step: str = GENERATE
    item: str | None = None
    times: int | None = 1
    then: Callable[[Held], None] | None = None
    caught: list[Held] = field(default_factory=list)

    def takes(self, event: Event) -> bool:
        """Whether this is one to be caught."""
        return (
            (event.point, event.step) == (self.point, self.step)
            and self.item in {None, event.item}
            and (self.times is None or len(self.caught) < self.times)
        )


class Probe:
    """Listens at a socket until `close()`; one for each lane."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self.path = path
        self._stop = stop
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._traps: list[Trap] = []
        self._hanging: list[Held] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        threading.Thread(target=self._accept, name="probe", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            line = lines.readline()
            if not line.endswith(b"\n"):
                return  # killed in the middle of a word
            event = Event(**json.loads(line))
            held = Held(event, connection)
            with self._changed:
                self._events.append(event)
                trap = next((trap for trap in self._traps if trap.takes(event)), None)
                if trap is not None:
                    trap.caught.append(held)
                self._changed.notify_all()
            if trap is None:
                held.release()
            elif trap.then is not None:
                trap.then(held)

    def set(self, trap: Trap) -> Trap:
        """Catch from now on."""
        with self._changed:
            self._traps.append(trap)
        return trap

    def catch(self, trap: Trap, timeout: float, number: int = 1) -> Held:
        """The `number`-th step in the trap, waited for.

        Raises:
            NotReached: nothing was caught in time.
        """
        self.wait_until(lambda: len(trap.caught) >= number, timeout, f"{trap.step} {trap.point}")
        return trap.caught[number - 1]

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for something that an event brings about.

        Raises:
            NotReached: it did not come about in time.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if self._stop.is_set():
                    raise Stopped
                if left <= 0:
                    raise NotReached(f"{what}: not within {timeout:g} s")
                self._changed.wait(min(left, 0.5))

    def events(self, run_id: str) -> list[Event]:
        """What the steps of a run have told, in order of arrival."""
        with self._changed:
            return [event for event in self._events if event.run_id == run_id]

    def clear_traps(self) -> None:
        """Let go of everybody held but those that hang, and hold nobody any more."""
        with self._changed:
            held = [held for trap in self._traps for held in trap.caught]
            self._traps.clear()
            self._hanging += [each for each in held if each.hangs]
        for each in held:
            if not each.hangs:
                if each.event.point != FINISHED:
                    each.release()
                each.connection.close()

    def clear(self) -> None:
        """Hold nobody any more, not even those that hang, and forget what was told."""
        self.clear_traps()
        with self._changed:
            hanging, self._hanging = self._hanging, []
            self._events.clear()
        for each in hanging:
            each.connection.close()

    def close(self) -> None:
        """Listen no more."""
        self._server.close()
        self.clear()
