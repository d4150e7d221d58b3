"""Roll books in files: import, rejected rows, export."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from shared.database import create_tables, transaction
from shared.errors import UsageError
from shared.roll_book.read import BadRow, CsvReader
from shared.roll_book.row import COLUMNS, Row
from shared.roll_book.stage import Staging

Advance = Callable[[int], object]
# As `shared.cli.progress`: description and number of units, gives `advance(count)`.
Progress = Callable[[str, int | None], AbstractContextManager[Advance]]

_BATCH = 10_000


class BadRows(UsageError):  # noqa: N818 - reads as the fact it reports
    """A file has rows that cannot be imported, and nothing was."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has done: voters and centers in the accepted rows, and rejected rows."""

    voters: int
    centers: int
    rejected: int


def _silent(_description: str, _total: int | None) -> AbstractContextManager[Advance]:
    return nullcontext(lambda _count: None)


def import_csv(
    path: Path,
    *,
    skip_bad_rows: Path | None = None,
    report: Callable[[BadRow], object] = lambda _row: None,
    progress: Progress = _silent,
) -> Imported:
    """Bring a CSV file (see `shared.roll_book.read`) into the roll book, in one transaction.

    Voters and centers that are there already are renamed, voters whose center changed move;
    nobody is removed. Importing a file twice changes nothing. Memory does not grow with the file.

    Args:
        path: the file.
        skip_bad_rows: where to write the rejected rows, as CSV `line,reason,record`; the others
            are imported. When None, one bad row is enough for nothing to be imported.
        report: told each bad row, in the order of lines, when nothing is imported.
        progress: shows how far the reading is, in bytes.

    Raises:
        BadRows: there are bad rows, and `skip_bad_rows` is None.
        UsageError: the file cannot be read, or is not such a file at all.
    """
    _refuse_overwriting(path, skip_bad_rows)
    with _reader(path) as reader, _rejects_file(skip_bad_rows) as rejects:
        create_tables()
        with transaction() as session, Staging(session) as staging:
            _read(reader, staging, progress("Reading", _size(path)))
            with progress("Checking and storing", None):
                rejected = staging.find_contradictions()
                if rejects is not None:
                    _write_down(staging, rejects)
                elif rejected:
                    for row in staging.bad_rows():
                        report(row)
                    raise BadRows(
                        f"{path}: {rejected:,} bad {'row' if rejected == 1 else 'rows'}, nothing "
                        "was imported: correct the file, or import the rest with "
                        "--skip-bad-rows FILE"
                    )
                voters, centers = staging.merge()
    return Imported(voters=voters, centers=centers, rejected=rejected)


def _read(reader: CsvReader, staging: Staging, progress: AbstractContextManager[Advance]) -> None:
    rows = iter(reader)
    told = 0
    with progress as advance:
        while batch := list(islice(rows, _BATCH)):
            staging.add(batch)
            advance(reader.bytes_read - told)
            told = reader.bytes_read
        advance(reader.bytes_read - told)


def _write_down(staging: Staging, rejects: TextIO) -> None:
    writer = csv.writer(rejects)
    writer.writerow(["line", "reason", "record"])
    writer.writerows((row.line, row.reason, row.record) for row in staging.bad_rows())


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def export_csv(path: Path, rows: Iterable[Row], advance: Advance = lambda _: None) -> None:
    """Write rows as a file that `import_csv` reads; the file appears whole or not at all."""
    with atomic_file(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        stream = iter(rows)
        while batch := list(islice(stream, _BATCH)):
            writer.writerows(batch)
            advance(len(batch))


@contextmanager
def atomic_file(path: Path) -> Iterator[TextIO]:
    """A text file that takes its name when the block ends well, and vanishes when it does not.

    Raises:
        UsageError: the folder is not there or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
        temporary.chmod(0o666 & ~_umask())
        try:
            temporary.replace(path)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _rejects_file(path: Path | None) -> AbstractContextManager[TextIO | None]:
    return nullcontext(None) if path is None else atomic_file(path)


def _refuse_overwriting(path: Path, rejects: Path | None) -> None:
    if rejects is not None and rejects.exists() and path.exists() and rejects.samefile(path):
        raise UsageError(f"{rejects}: the rejected rows would overwrite the file they come from")


@contextmanager
def _reader(path: Path) -> Iterator[CsvReader]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    with stream:
        yield CsvReader(stream, str(path))
