"""Stands for the courts and for the queue of requests."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

QUEUE = "pacer"


def note(what: str, *values: object) -> int:
    """Write a call down; how often it was written down before."""
    path, line = Path(os.environ["WORKS_LEDGER"]), json.dumps([what, *map(repr, values)])
    before = path.read_text().splitlines().count(line) if path.exists() else 0
    with path.open("a") as file:
        file.write(f"{line}\n")
    return before


def atomic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Stands for a transaction around the task."""

    @wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


class LoginError(Exception):
    pass


class ConnectError(ConnectionError):
    pass


@dataclass(frozen=True)
class Request:
    pk: int
    kind: str
    court: str = "ca1"
    document: int | None = None


def is_appellate(court: str) -> bool:
    return court.startswith("ca")


def is_reachable(court: str, attempt: int) -> bool:
    return court != "ca-shut" and (court != "ca-slow" or attempt > 1)
