"""The tasks of the canvas suite, and their app: one task for each thing that canvases meet.

Workers of the engine under test import this module, as they import the module of a user's tasks.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task, chain, group
from celery.exceptions import Ignore

app = Celery("apart", broker="memory://nobody-listens", set_as_current=False)


@app.task
def add(x: int, y: int = 1) -> int:
    """A value from a value."""
    return x + y


@app.task
def total(numbers: list[int]) -> int:
    """The body of a chord."""
    return sum(numbers)


@app.task
def listed(values: list[Any]) -> list[Any]:
    """What a chord's body is called with, as it is."""
    return values


@app.task
def boom(*args: object) -> None:
    """Fails; the error says how many arguments there were."""
    raise ValueError("boom", len(args))


@app.task
def where() -> tuple[int, int]:
    """The ids of the process that runs it and of that process's parent."""
    return os.getpid(), os.getppid()


@app.task
def write(*args: object, path: str) -> None:
    """Appends a line to a file; appends of one line are atomic."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{' '.join(map(str, args))}\n")


@app.task(bind=True, max_retries=2)
def flaky(self: Any, x: int) -> int:
    """Succeeds at the third attempt."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.01)
    return x


@app.task(bind=True)
def swapped(self: Any, x: int) -> Any:
    """Is replaced by a chain."""
    return self.replace(chain(add.s(x), add.s(10)))


@app.task(bind=True)
def swapped_group(self: Any, x: int) -> Any:
    """Is replaced by a group."""
    return self.replace(group(add.s(x), add.s(x, 10)))


@app.task(bind=True)
def extends(self: Any, x: int) -> int:
    """Adds a member to the chord that it is in."""
    self.add_to_chord(add.s(x, 100))
    return x


@app.task
def starts(path: str) -> None:
    """Starts a canvas of its own and does not wait for it."""
    (add.s(1, 2) | write.s(path=path)).delay()


@app.task(bind=True)
def who(self: Any, *args: object) -> dict[str, object]:
    """What ``self.request`` says."""
    request = self.request
    return {
        "id": request.id,
        "root": request.root_id,
        "parent": request.parent_id,
        "group": request.group,
        "index": request.group_index,
        "priority": request.delivery_info["priority"],
        "queue": request.delivery_info["routing_key"],
        "stamps": request.stamps,
    }


@app.task
def ignored() -> None:
    """Ends without a result."""
    raise Ignore


@app.task
def now(*args: object) -> float:
    """When it ran."""
    return time.time()


@app.task
def sleeps(path: str, seconds: float = 60) -> None:
    """Says by a file that it has begun, and takes its time."""
    Path(path).touch()
    time.sleep(seconds)


@app.task
def revokes(ids: list[str]) -> None:
    """Revokes other tasks."""
    app.control.revoke(ids)


class Watched(Task):  # type: ignore[type-arg]  # generic in the stubs alone
    """A custom base class with a hook."""

    def on_success(
        self, retval: Any, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Writes what the task has returned."""
        write.run("on_success", retval, path=kwargs["path"])


@app.task(base=Watched)
def watched(*, path: str) -> str:
    """Its hook is called."""
    return "fine"
