"""The roll book: who votes where. Filled from files, by hand, or with invented data."""

from __future__ import annotations

from shared.roll_book.files import BadRows, Imported, export_csv, import_csv
from shared.roll_book.load import add_center, add_voter, clear, fill, voters
from shared.roll_book.read import BadRow
from shared.roll_book.row import Row

__all__ = [
    "BadRow",
    "BadRows",
    "Imported",
    "Row",
    "add_center",
    "add_voter",
    "clear",
    "export_csv",
    "fill",
    "import_csv",
    "voters",
]
