"""A long activity goes on where its last attempt stopped."""

from collections.abc import Callable
from dataclasses import replace

from temporalio.testing import ActivityEnvironment

from temporal_impl.progress import Progress


class Book:
    """Counts what is really done."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []

    def step(self, run_id: str, item: str, /, *, attempt: int) -> int:
        self.done.append((item, attempt))
        return int(item)


async def here(work: Callable[[], int]) -> int:
    return work()


async def walk(book: Book) -> list[int]:
    progress = Progress(here)
    return [await progress.once(book.step, "run", str(number)) for number in (5, 6, 7)]


async def test_the_first_attempt_does_all_and_reports_each() -> None:
    environment, book, beats = ActivityEnvironment(), Book(), []
    environment.on_heartbeat = lambda *details: beats.append([list(d) for d in details])
    assert await environment.run(walk, book) == [5, 6, 7]
    assert beats == [[[5]], [[5, 6]], [[5, 6, 7]]]


async def test_the_next_attempt_takes_what_was_reported() -> None:
    environment, book = ActivityEnvironment(), Book()
    environment.info = replace(environment.info, attempt=2, heartbeat_details=[[5, 6]])
    assert await environment.run(walk, book) == [5, 6, 7]
    assert book.done == [("7", 2)]
