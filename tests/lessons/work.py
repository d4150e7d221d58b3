"""An app with the settings of either profile, its worker, and a folder where tasks leave marks.

The settings are the reference's own (`celery_impl.profiles`); the app is not, because the voter
rolls are hardened by design: to see the damage one needs tasks that are not.

`python -m tests.lessons.work` is its worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery

from celery_impl.profiles import Profile, hardened, naive
from shared.settings import Settings

PROFILES = {"naive": naive, "hardened": hardened}


def profile_of(name: str, broker: str, results: str) -> Profile:
    """The profile on these addresses."""
    return PROFILES[name](Settings(celery_broker_url=broker, celery_result_backend=results))


class Marks:
    """Lines in a file, one for each thing that has happened; and doors that tasks wait at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave(self, what: str) -> None:
        """One write of one short line, so that two processes do not mix theirs."""
        with (self.folder / "marks").open("a") as file:
            file.write(f"{what}\n")

    def all(self) -> list[str]:
        """In order."""
        file = self.folder / "marks"
        return file.read_text().splitlines() if file.exists() else []

    def count(self, what: str) -> int:
        """How often it has happened."""
        return self.all().count(what)

    def open_door(self, name: str) -> None:
        """Let everybody through, now and later."""
        (self.folder / f"door-{name}").touch()

    def wait_at_door(self, name: str) -> None:
        """Return once it is open."""
        while not (self.folder / f"door-{name}").exists():
            time.sleep(0.02)


def make_app(profile: Profile, queue: str, folder: Path, **changes: Any) -> Celery:
    """The app: the profile's settings, a queue of its own, and tasks with the profile's options."""
    app: Celery = Celery("lessons", set_as_current=False)
    app.config_from_object({**profile.settings, "task_default_queue": queue, **changes})
    marks = Marks(folder)
    # Retries are another lesson.
    limits = {k: v for k, v in profile.step.items() if k in {"soft_time_limit", "time_limit"}}

    @app.task(name="lessons.work", shared=False, **limits)
    def work(item: str) -> str:
        """Begin, wait at the item's door, end."""
        marks.leave(f"begin {item}")
        marks.wait_at_door(item)
        marks.leave(f"end {item}")
        return item

    @app.task(name="lessons.die_once", shared=False, **limits)
    def die_once(item: str) -> int:
        """Be killed the first time, as for want of memory; returns which time this is."""
        marks.leave(f"begin {item}")
        if marks.count(f"begin {item}") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return marks.count(f"begin {item}")

    @app.task(name="lessons.append_roll", shared=False, **limits)
    def append_roll(item: str) -> None:
        """Add the roll to a book; be killed the first time, after that and before the end."""
        with (folder / "book").open("a") as book:
            book.write(f"roll of {item}\n")
        die_once.run(item)

    @app.task(name="lessons.write_roll", shared=False, **limits)
    def write_roll(item: str) -> None:
        """The same with a place of its own for each roll, replaced as a whole."""
        draft = folder / f"{item}.draft-{os.getpid()}"
        draft.write_text(f"roll of {item}\n")
        draft.rename(folder / f"{item}.roll")
        die_once.run(item)

    if os.environ.get("LESSON_VERSION") == "2":
        app.tasks.unregister("lessons.work")

        @app.task(name="lessons.work", shared=False, **limits)
        def changed_work(item: str, paper: str) -> str:
            """The next version, with one argument more, which is required."""
            marks.leave(f"begin {item} on {paper}")
            return item

    return app


def main() -> None:
    """A worker, told by its environment."""
    told = json.loads(os.environ["LESSON"])
    profile = profile_of(told["profile"], told["broker"], told["results"])
    app = make_app(profile, told["queue"], Path(told["folder"]), **told["changes"])
    app.worker_main(
        [
            "worker", "--pool=prefork", f"--concurrency={told['concurrency']}",
            f"--hostname={told['queue']}-{os.getpid()}@%h", "--loglevel=WARNING",
            "--without-gossip", "--without-mingle",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
