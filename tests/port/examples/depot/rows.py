"""Stands for the outside world of the example; every call is written down."""

import json
import os
import tempfile
from pathlib import Path

LEDGER = Path(os.environ.get("SHOP_LEDGER", Path(tempfile.gettempdir()) / "depot-ledger.jsonl"))


def note(what: str, *values: object) -> None:
    with LEDGER.open("a") as file:
        file.write(json.dumps([what, *values]) + "\n")


def times(what: str, *values: object) -> int:
    if not LEDGER.exists():
        return 0
    noted = [json.loads(line) for line in LEDGER.read_text().splitlines()]
    return sum(one[: 1 + len(values)] == [what, *values] for one in noted)


def parcels(depot: str) -> list[dict[str, int]]:
    return [{"id": 1, "weight": 3}, {"id": 2, "weight": 9}, {"id": 3, "weight": 7}]


class NotReady(Exception):
    """The other side asks for patience."""


class Gone(ConnectionError):
    """The other side has left for good."""
