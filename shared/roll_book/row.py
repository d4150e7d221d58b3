"""One line of a roll book."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A voter and the center where the voter is registered, in the order of the CSV file."""

    voter_id: str
    voter_name: str
    center_id: str
    center_name: str


COLUMNS = Row._fields
