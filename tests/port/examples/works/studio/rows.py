"""Stands for the site's database, its Drive and its locks."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

BACKEND = "git"


def note(what: str, *values: object) -> int:
    """Write a call down; how often it was written down before."""
    path, line = Path(os.environ["WORKS_LEDGER"]), json.dumps([what, *map(repr, values)])
    before = path.read_text().splitlines().count(line) if path.exists() else 0
    with path.open("a") as file:
        file.write(f"{line}\n")
    return before


def single_task(timeout: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A lock around the task: whoever finds it taken is told to come again."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def alone(*args: Any, **kwargs: Any) -> Any:
            if args[-1] == "taken" and note("lock", timeout, args[-1]) < 1:
                raise BlockingIOError("taken")
            return function(*args, **kwargs)

        return alone

    return decorate


@dataclass(frozen=True)
class File:
    id: str
    name: str


@dataclass
class Site:
    pk: int
    name: str
    synced_on: str = "2026-03-29T02:30"
    errors: list[str] = field(default_factory=list)

    def save(self) -> None:
        note("site", self.pk, self.errors)


SITES = {
    name: Site(number, name)
    for number, name in enumerate(["full", "broken", "old", "empty", "taken"])
}


def site(name: str) -> Site:
    return SITES[name]


def folders(site: Site) -> dict[str, list[dict[str, str]]]:
    """The files of a site by folder, as the Drive tells them; one of them cannot be read."""
    if site.name in {"old", "empty", "taken"}:
        return {}
    return {
        "files": [{"id": f"{site.name}-1", "name": "a"}, {"id": "unreadable", "name": "b"}],
        "videos": [{"id": f"{site.name}-2", "name": "c"}, {"id": f"{site.name}-3", "name": "c"}],
    }


def missing(found: list[dict[str, str]], site: Site) -> list[File]:
    gone = {"full": ["g1", "g2"], "old": ["g3"], "broken": ["g4"], "taken": ["g5"]}.get(
        site.name, []
    )
    return [File(one, f"{one} of {len(found)}") for one in gone]


def kept(file: dict[str, str], site: Site, *, replaced: bool) -> File | None:
    """The row of a file; none for what has not changed."""
    note("kept", file["id"], replaced)
    if file["id"] == "unreadable":
        raise ValueError(file["id"])
    return None if file["id"].endswith("-3") else File(file["id"], file["name"])


def transcript(video: int, timeout: int) -> str:
    """Video 2 takes 4 seconds, 3 takes 100, and 4 fails at its first attempt with enough time."""
    if timeout < {2: 4, 3: 100, 4: 4}.get(video, 1):
        raise TimeoutError(video)
    if video == 4 and note("refused", video) < 1:
        raise ConnectionRefusedError(video)
    return f"transcript {video}"


def indexed(pk: int) -> int:
    """From 20 on a page cannot be read at first, from 30 on never; 11 is looked for once more."""
    if pk == 11 and note("lookup", pk) < 1:
        raise LookupError(pk)
    if pk >= 20 and note("index", pk) < (1 if pk < 30 else 100):
        raise OSError(pk)
    return pk


@contextmanager
def opened(what: str) -> Iterator[None]:
    note("open", what)
    yield
    note("close", what)


def told(version: str, published: list[bool]) -> str:
    return f"{published.count(True)} on {version}"


def mass_build(version: str) -> str | None:
    return None if version == "draft" else version


def parts(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
