"""Stands for the world: a ledger of calls, and a count of attempts."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any


def _ledger() -> Path:
    return Path(os.environ["YARD_LEDGER"])


def note(what: str, *values: object) -> int:
    """Write a call down; how often it has been written down before."""
    line = json.dumps([what, *map(repr, values)])
    path = _ledger()
    before = path.read_text().splitlines().count(line) if path.exists() else 0
    with path.open("a") as file:
        file.write(f"{line}\n")
    return before


def crates(kind: str) -> list[int]:
    return [3, 1, 2] if kind == "full" else []


def is_open(kind: str) -> bool:
    return kind != "closed"


def moment() -> datetime:
    return datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def watched(word: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator of the project's own."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            note("watched", word, args[-1])
            return function(*args, **kwargs)

        return inner

    return decorate


class Slow(Exception):
    pass


class Stuck(Exception):
    pass
