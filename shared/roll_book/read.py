"""Reading a roll book from CSV, line by line, with every fault named.

The file is UTF-8, with or without a byte order mark; its first line is
`voter_id,voter_name,center_id,center_name`; quoting follows RFC 4180. White space around a value
does not belong to it, empty lines do not count. A row must stand on one line: a line break inside
quotes is a control character like any other, and no name has one.

Lines are physical lines of the file, counted from 1.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple

from shared.errors import UsageError
from shared.models import MAX_ID, MAX_NAME
from shared.roll_book.row import COLUMNS, Row

# More than any good row can need: four values of 200 characters of 4 bytes, all of them quoted.
_MAX_LINE = 16_384
# A quote that is not closed by then is a stray one.
_MAX_LINES = 64
_LONGEST = dict(zip(COLUMNS, (MAX_ID, MAX_NAME, MAX_ID, MAX_NAME), strict=True))
# Controls, the two line separators of Unicode, and what `surrogateescape` makes of bytes that are
# not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HEADER = ",".join(COLUMNS)


class GoodRow(NamedTuple):
    """A row that is right in itself; other rows may still contradict it."""

    line: int
    row: Row


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be imported.

    Attributes:
        line: the physical line on which it begins.
        reason: why, in words.
        record: the row as it stands in the file, without its line end; bytes that are not UTF-8
            are written `\\xe9`, and what is over-long is cut.
    """

    line: int
    reason: str
    record: str


class CsvReader:
    """The rows of a file, good and bad, in one pass and with constant memory.

    Raises:
        UsageError: the file is empty, or its first line is not the header; says which.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.bytes_read = 0
        self._stream = stream
        self._name = name
        self._line = 0  # of the last line handed out
        self._taken: list[bytes] = []  # the lines of the record at hand
        self._again: deque[bytes] = deque()  # lines to be read once more
        self._records = self._start()
        self._check_header()

    def __iter__(self) -> Iterator[GoodRow | BadRow]:
        while True:
            self._taken.clear()
            try:
                fields = next(self._records)
            except StopIteration:
                return
            except (csv.Error, _StrayQuote) as error:
                yield self._malformed(error)
                continue
            if not fields:
                continue
            line = self._line - len(self._taken) + 1
            if len(fields) == len(COLUMNS):
                row = Row._make(map(str.strip, fields))
                if _is_sound(row) and not _UNPRINTABLE.search("".join(fields)):
                    yield GoodRow(line, row)
                    continue
            yield BadRow(line, self._fault(fields), self._record())

    def _start(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), strict=True)

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else self._read():
            self._line += 1
            self._taken.append(line)
            if len(line) > _MAX_LINE or len(self._taken) > _MAX_LINES:
                raise _StrayQuote
            yield line.decode("utf-8", "surrogateescape")

    def _read(self) -> bytes:
        line = self._stream.readline(_MAX_LINE + 1)
        self.bytes_read += len(line)
        rest = line
        while len(rest) > _MAX_LINE and not rest.endswith(b"\n"):  # passed over, never kept
            rest = self._stream.readline(_MAX_LINE + 1)
            self.bytes_read += len(rest)
        return line

    def _malformed(self, error: Exception) -> BadRow:
        """Blame the first line alone, and read those that it has swallowed once more."""
        first, *swallowed = self._taken
        self._again.extendleft(reversed(swallowed))
        self._line -= len(swallowed)
        self._taken = [first]
        self._records = self._start()
        if len(first) > _MAX_LINE:
            reason = f"the line is longer than {_MAX_LINE:,} bytes"
        elif swallowed or isinstance(error, _StrayQuote) or "end of data" in str(error):
            reason = 'a quote (") is opened and not closed on the line: close it, or double it'
        else:
            reason = f"malformed CSV: {str(error).split(' - ')[0]}"
        return BadRow(self._line, reason, self._record())

    def _record(self) -> str:
        text = b"".join(self._taken).decode("utf-8", "backslashreplace").rstrip("\r\n")
        text = text.replace("\x00", "\\x00")  # PostgreSQL has no way to store it
        return text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]} (cut)"

    def _fault(self, fields: list[str]) -> str:
        for index, raw in enumerate(self._taken):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                line = self._line - len(self._taken) + 1 + index
                where = f"byte {error.start + 1} of line {line}"
                return f"bad encoding: {where} (0x{raw[error.start]:02X}) is not UTF-8"
        if len(fields) < len(COLUMNS):
            missing = ", ".join(COLUMNS[len(fields) :])
            return f"missing column: {missing} ({len(fields)} of {len(COLUMNS)} values)"
        if len(fields) > len(COLUMNS):
            extra = ", ".join(map(repr, islice(fields, len(COLUMNS), 8)))
            hint = "quote a name that contains a comma"
            return f"extra column: {extra} ({len(fields)} values instead of 4; {hint})"
        return "; ".join(
            fault
            for column, value in zip(COLUMNS, fields, strict=True)
            if (fault := _value_fault(column, value))
        )

    def _check_header(self) -> None:
        start = self._read()
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UsageError(f"{self._name}:1: the file is UTF-16: save it as CSV in UTF-8")
        if start.startswith(b"PK\x03\x04"):
            raise UsageError(f"{self._name}:1: this is a spreadsheet or archive: save it as CSV")
        start = start.removeprefix(b"\xef\xbb\xbf")
        if not start.strip():
            raise UsageError(f"{self._name}: the file is empty: its first line must be {_HEADER}")
        self._line += 1
        text = start.decode("utf-8", "backslashreplace").rstrip("\r\n")
        try:
            header = [name.strip() for name in next(csv.reader([text]), [])]
        except csv.Error:
            header = []
        if tuple(header) != COLUMNS:
            raise UsageError(f"{self._name}:1: {_header_fault(text, header)}")


class _StrayQuote(Exception):  # noqa: N818 - never leaves this module
    """A record goes on for longer than any record can."""


def _is_sound(row: Row) -> bool:
    voter_id, voter_name, center_id, center_name = row
    return (
        0 < len(voter_id) <= MAX_ID
        and 0 < len(voter_name) <= MAX_NAME
        and 0 < len(center_id) <= MAX_ID
        and 0 < len(center_name) <= MAX_NAME
    )


def _value_fault(column: str, value: str) -> str | None:
    if control := _UNPRINTABLE.search(value):
        kind = "a line break" if control[0] in "\r\n" else "a control character"
        place = f"(U+{ord(control[0]):04X}) at character {control.start() + 1}"
        return f"{column} has {kind} {place}"
    value = value.strip()
    if not value:
        return f"empty {column}"
    if len(value) > _LONGEST[column]:
        return f"over-long {column}: {len(value):,} characters, at most {_LONGEST[column]}"
    return None


def _header_fault(text: str, header: list[str]) -> str:
    for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if [part.strip(' "') for part in text.split(delimiter)] == list(COLUMNS):
            return f"wrong delimiter: the columns are separated by {name}, they must be by commas"
    if "\r" in text:
        return "the lines end in a carriage return alone: save the file with Unix or Windows lines"
    if sorted(header) == sorted(COLUMNS):
        return f"the columns are in another order: they must be {_HEADER}"
    known = [name for name in header if name in COLUMNS]
    if not known:
        return f"missing header: the first line is {text[:60]!r}, it must be {_HEADER}"
    missing = [name for name in COLUMNS if name not in header]
    extra = [name for name in header if name not in COLUMNS]
    faults = [f"missing column {', '.join(missing)}"] if missing else []
    faults += [f"extra column {', '.join(map(repr, extra))}"] if extra else []
    faults = faults or ["a column stands there twice"]
    return f"{' and '.join(faults)}: the first line must be {_HEADER}"
