"""The roll book of a comparison: made up, or from a file."""

from __future__ import annotations

from pathlib import Path

from comparisons.plan import Plan, check_csv
from shared.cli import progress
from shared.database import transaction
from shared.errors import UsageError
from shared.fake import fake_roll_book
from shared.roll_book import BadRow, BadRows, fill, import_csv


def check(plan: Plan) -> None:
    """See that the roll book can be had, as far as that shows without reading a file whole.

    Raises:
        UsageError: the number of voters or the seed is out of range, or the file is not there.
    """
    if plan.csv is not None:
        check_csv(plan.csv)
    else:
        fake_roll_book(plan.voters or 0, plan.seed)


def load(plan: Plan) -> None:
    """Fill the empty database.

    Raises:
        UsageError: the file is bad; nothing of it is in the database.
    """
    if plan.csv is not None:
        _import(plan.csv)
        return
    book = fake_roll_book(plan.voters or 0, plan.seed)
    with transaction() as session, progress("Making up the voters", plan.voters) as advance:
        fill(session, book, advance)


def _import(csv: Path) -> None:
    bad: list[BadRow] = []
    try:
        import_csv(csv, report=bad.append, progress=progress)
    except BadRows:
        more = f" (and {len(bad) - 1:,} further bad rows)" if len(bad) > 1 else ""
        raise UsageError(
            f"--csv {csv}, line {bad[0].line}: {bad[0].reason}{more}; correct the file"
        ) from None
