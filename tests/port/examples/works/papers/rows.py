"""Stands for the documents and their archive numbers."""

import json
import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


def note(what: str, *values: object) -> None:
    with Path(os.environ["WORKS_LEDGER"]).open("a") as file:
        file.write(json.dumps([what, *map(repr, values)]) + "\n")


class Source(Enum):
    FOLDER = 1
    MAIL = 2


@dataclass
class Document:
    """What is to be consumed."""

    source: Source
    file: Path
    rule: int | None = None


@dataclass
class Overrides:
    title: str | None = None
    owner: int | None = None
    tags: set[int] = field(default_factory=set)
    skip_number: bool = False


@dataclass(frozen=True)
class Rule:
    pk: int
    tags: frozenset[int] = frozenset({3, 4})


def title(document: int) -> str:
    return "broken" if document == 13 else f"document {document}"


def release(documents: list[int]) -> dict[int, int | None]:
    return {document: 100 + document for document in documents}


def restore(backup: dict[int, int | None] | str) -> None:
    """An errback that is bound is given an id before its own arguments, as it is there."""
    note("restore", "an id" if isinstance(backup, str) else backup)
