"""Every class of bad row, named with the line on which it begins."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.models import MAX_ID, MAX_NAME
from shared.roll_book.read import BadRow, CsvReader, GoodRow
from shared.roll_book.row import COLUMNS, Row

HEADER = b"voter_id,voter_name,center_id,center_name\n"
GOOD = b"V9,Zo\xc3\xab,C1,School\n"


def read(body: bytes, header: bytes = HEADER) -> list[GoodRow | BadRow]:
    return list(CsvReader(io.BytesIO(header + body), "voters.csv"))


def refusal(content: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        CsvReader(io.BytesIO(content), "voters.csv")
    return str(caught.value)


def good(line: int) -> GoodRow:
    return GoodRow(line, Row("V9", "Zoë", "C1", "School"))


@pytest.mark.parametrize(
    "content",
    [
        HEADER + GOOD,
        b"\xef\xbb\xbf" + HEADER + GOOD,
        (HEADER + GOOD).replace(b"\n", b"\r\n"),
        (HEADER + GOOD).removesuffix(b"\n"),
        b'"voter_id","voter_name", center_id ,center_name\n"V9",  Zo\xc3\xab ,C1,"School"\n',
    ],
    ids=["plain", "byte order mark", "Windows lines", "no last line end", "quoted and spaced"],
)
def test_the_same_file_in_several_forms(content: bytes) -> None:
    assert read(content, header=b"") == [good(2)]


def test_a_header_alone_is_a_file_without_voters() -> None:
    assert read(b"") == []


def test_empty_lines_do_not_count_but_keep_their_numbers() -> None:
    assert read(b"\n\r\n" + GOOD + b"\n") == [good(4)]


def test_quotes_and_commas_inside_a_value() -> None:
    (row,) = read(b'V1,"O""Brien, Ann",C1,"School ""A"""\n')
    assert row == GoodRow(2, Row("V1", 'O"Brien, Ann', "C1", 'School "A"'))


BAD = {
    "missing column": (b"V1,Ann,C1\n", "missing column: center_name (3 of 4 values)"),
    "missing columns": (b"V1\n", "missing column: voter_name, center_id, center_name (1 of 4"),
    "extra column": (b"V1,Ann,C1,School,x\n", "extra column: 'x' (5 values instead of 4"),
    "comma in a name": (b"V1,Brien, Ann,C1,School\n", "quote a name that contains a comma"),
    "other delimiter": (b"V1;Ann;C1;School\n", "missing column"),
    "empty id": (b",Ann,C1,School\n", "empty voter_id"),
    "empty name": (b"V1,,C1,School\n", "empty voter_name"),
    "name of spaces": (b"V1,  \xc2\xa0,C1,School\n", "empty voter_name"),
    "empty center": (b"V1,Ann,,School\n", "empty center_id"),
    "empty center name": (b"V1,Ann,C1,\n", "empty center_name"),
    "two faults": (b",,C1,School\n", "empty voter_id; empty voter_name"),
    "long id": (b"V" * 65 + b",Ann,C1,School\n", "over-long voter_id: 65 characters, at most 64"),
    "long name": (
        "V1,{},C1,School\n".format("é" * 1_201).encode(),
        "over-long voter_name: 1,201 characters, at most 200",
    ),
    "long center": (b"V1,Ann," + b"C" * 65 + b",School\n", "over-long center_id"),
    "long center name": (b"V1,Ann,C1," + b"S" * 201 + b"\n", "over-long center_name"),
    "Latin-1": (b"V1,Zo\xeb,C1,School\n", "bad encoding: byte 6 of line 2 (0xEB) is not UTF-8"),
    "encoded surrogate": (b"V1,\xed\xa0\x80,C1,S\n", "bad encoding: byte 4 of line 2 (0xED)"),
    "bad encoding and columns": (b"V1,Zo\xeb\n", "bad encoding: byte 6 of line 2"),
    "NUL": (
        b"V1,A\x00nn,C1,School\n",
        "voter_name has a control character (U+0000) at character 2",
    ),
    "tab": (b"V1,A\tnn,C1,School\n", "voter_name has a control character (U+0009)"),
    "delete": (b"V1,Ann,C1\x7f,School\n", "center_id has a control character (U+007F)"),
    "C1 control": (b"V1,A\xc2\x85nn,C1,School\n", "voter_name has a control character (U+0085)"),
    "line separator": (b"V1,A\xe2\x80\xa8nn,C1,S\n", "voter_name has a control character (U+2028)"),
    "line break": (
        b'V1,"Ann\nLee",C1,School\n',
        "voter_name has a line break (U+000A) at character 4",
    ),
    "Windows line break": (b'V1,"Ann\r\nLee",C1,S\n', "voter_name has a line break (U+000D)"),
    "text after a quote": (b'V1,"Ann"e,C1,School\n', "malformed CSV: "),
    "carriage return": (b"V1,Ann\rV2,Bob,C1,School\n", "malformed CSV: "),
    "open quote": (b'V1,"Ann,C1,School\n', 'a quote (") is opened and not closed on the line'),
    "long line": (b"V1," + b"x" * 40_000 + b",C1,S\n", "the line is longer than 16,384 bytes"),
}


@pytest.mark.parametrize(("row", "reason"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named_and_the_next_one_is_read(row: bytes, reason: str) -> None:
    bad, following = read(row + GOOD)
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert reason in bad.reason
    assert following == good(2 + row.count(b"\n"))


@pytest.mark.parametrize(("row", "reason"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named_on_the_last_line_too(row: bytes, reason: str) -> None:
    first, bad = read(GOOD + row.removesuffix(b"\n"))
    assert first == good(2)
    assert isinstance(bad, BadRow)
    assert bad.line == 3
    assert reason.replace("of line 2", "of line 3") in bad.reason


def test_values_may_be_as_long_as_the_tables_take() -> None:
    row = Row("😀" * MAX_ID, "é" * MAX_NAME, "C" * MAX_ID, '"' * MAX_NAME)
    assert read(as_csv([row]), header=b"") == [GoodRow(2, row)]


def test_a_rejected_record_is_kept_as_it_stands() -> None:
    broken, latin, long = read(b'V1,"A\nB",C1\nV\x00,Zo\xeb,C1,S\r\n' + b"x" * 40_000)
    assert broken.record == 'V1,"A\nB",C1'
    assert latin.record == "V\\x00,Zo\\xeb,C1,S"
    assert long.record == "x" * 16_384 + " (cut)"


def test_one_stray_quote_costs_one_row_not_the_rest_of_the_file() -> None:
    many = b"".join(b"V%d,Ann,C1,School\n" % number for number in range(500))
    bad, *others = read(b'V,"Ann,C1,School\n' + many)
    assert bad.line == 2
    assert [row.line for row in others] == list(range(3, 503))
    assert all(isinstance(row, GoodRow) for row in others)


def test_two_stray_quotes_cost_two_rows() -> None:
    stray = b'V,"Ann,C1,School\n'
    rows = read(stray + GOOD + stray + GOOD + b'V7,"Bob",C1,School\n')
    assert [(row.line, isinstance(row, GoodRow)) for row in rows] == [
        (2, False),
        (3, True),
        (4, False),
        (5, True),
        (6, True),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "voters.csv: the file is empty"),
        (b"\xef\xbb\xbf\n", "voters.csv: the file is empty"),
        (GOOD, "voters.csv:1: missing header: the first line is 'V9,Zoë,C1,School', it must be"),
        (HEADER.replace(b",", b";"), "wrong delimiter: the columns are separated by semicolons"),
        (HEADER.replace(b",", b"\t"), "wrong delimiter: the columns are separated by tabs"),
        (HEADER.replace(b",", b"|"), "wrong delimiter: the columns are separated by bars"),
        (b"voter_id,voter_name,center_id\n", "missing column center_name: the first line must be"),
        (HEADER[:-1] + b",age\n", "extra column 'age': the first line must be"),
        (b"voter_id,name,center_id,center_name\n", "missing column voter_name and extra column"),
        (b"center_id,center_name,voter_id,voter_name\n", "the columns are in another order"),
        (HEADER[:-1] + b",voter_id\n", "a column stands there twice"),
        (HEADER.decode().encode("utf-16"), "voters.csv:1: the file is UTF-16: save it as CSV"),
        (b"PK\x03\x04\x14\x00", "this is a spreadsheet or archive: save it as CSV"),
        ((HEADER + GOOD).replace(b"\n", b"\r"), "the lines end in a carriage return alone"),
        (b"\x89\xff\x00" * 20_000, "voters.csv:1: missing header"),
        (b'"voter_id\n', "voters.csv:1: "),
    ],
)
def test_a_file_that_is_no_roll_book_is_refused_at_its_header(content: bytes, said: str) -> None:
    message = refusal(content)
    assert said in message
    assert message.startswith("voters.csv")
    assert "\n" not in message
    assert len(message) < 400


class Endless(io.RawIOBase):
    """A stream of so many bytes that are made as they are read."""

    def __init__(self, start: bytes, unit: bytes, size: int) -> None:
        self._pieces = self._make(start, unit, size)
        self._rest = b""

    @staticmethod
    def _make(start: bytes, unit: bytes, size: int) -> Iterator[bytes]:
        yield start
        piece = unit * (65_536 // len(unit))
        for _ in range(size // len(piece)):
            yield piece

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


@pytest.mark.parametrize(
    "unit",
    [
        b"V1,Ann,C1,School" + b"x" * 100 + b"\n",
        b"x",
        b'"',
        b'"' + b"x" * 100 + b"\n",
        b"x" * 20_000 + b"\n",
    ],
    ids=["rows", "one endless line", "quotes", "stray quotes", "long lines"],
)
def test_a_file_is_not_read_whole_into_memory(unit: bytes) -> None:
    stream = io.BufferedReader(Endless(HEADER, unit, 2_000_000))
    tracemalloc.start()
    try:
        reader = CsvReader(stream, "voters.csv")
        for _ in reader:
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reader.bytes_read > 1_900_000
    assert peak < 500_000


def as_csv(rows: list[Row], **dialect: object) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, **dialect)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue().encode()


printable = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))


def value(longest: int) -> st.SearchStrategy[str]:
    return st.text(printable | st.sampled_from('",; é\u0301'), min_size=1, max_size=longest).filter(
        lambda text: text.strip() == text
    )


rows_of_any_kind = st.lists(
    st.builds(
        Row,
        voter_id=value(MAX_ID),
        voter_name=value(MAX_NAME),
        center_id=value(MAX_ID),
        center_name=value(MAX_NAME),
    )
)


@given(
    rows=rows_of_any_kind,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_read(rows: list[Row], quoting: int, line_end: str) -> None:
    content = as_csv(rows, quoting=quoting, lineterminator=line_end)
    assert read(content, header=b"") == [GoodRow(n, row) for n, row in enumerate(rows, 2)]


@given(st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\xff", b"\x00", b"V1,A,C,S\n"])))
@example([b'"', b"\n"] * 70)
def test_any_bytes_are_read_to_the_end_and_in_order(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    lines = [row.line for row in read(body + b"\n" + GOOD)]
    assert lines == sorted(set(lines))
    assert all(2 <= line <= 3 + body.count(b"\n") for line in lines)
