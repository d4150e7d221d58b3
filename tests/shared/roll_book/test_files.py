"""Import is all or nothing, repeatable, and leaves no half-written file."""

import csv
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect

from shared import roll_book
from shared.database import engine, transaction
from shared.errors import UsageError
from shared.fake import fake_roll_book
from shared.roll_book import BadRow, BadRows, Imported, Row, export_csv, import_csv
from shared.roll_book.files import atomic_file
from tests.services import empty_tables
from tests.shared.roll_book.book import center_names, contents

HEADER = "voter_id,voter_name,center_id,center_name"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*lines: str | bytes) -> Path:
        path = tmp_path / "voters.csv"
        body = [line if isinstance(line, bytes) else line.encode() for line in (HEADER, *lines)]
        path.write_bytes(b"\n".join(body) + b"\n")
        return path

    return write


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(path: Path) -> tuple[str, list[BadRow]]:
    told: list[BadRow] = []
    with pytest.raises(BadRows) as caught:
        import_csv(path, report=told.append)
    return str(caught.value), told


def test_rows_arrive(database: str, write: Write) -> None:
    path = write("V1,Ann,C1,School", "V2,Zoë,C2,Σχολείο", "V3,Bob,C1,School")
    assert import_csv(path) == Imported(voters=3, centers=2, rejected=0)
    assert contents() == [
        Row("V1", "Ann", "C1", "School"),
        Row("V2", "Zoë", "C2", "Σχολείο"),
        Row("V3", "Bob", "C1", "School"),
    ]


def test_importing_twice_changes_nothing(database: str, write: Write) -> None:
    path = write("V1,Ann,C1,School", "V2,Bob,C2,Gym")
    first = import_csv(path), contents()
    assert (import_csv(path), contents()) == first


def test_a_later_file_renames_moves_and_adds_and_removes_nobody(
    database: str, write: Write
) -> None:
    import_csv(write("V1,Ann,C1,School", "V2,Bob,C1,School", "V3,Cy,C2,Gym"))
    import_csv(write("V1,Anne,C1,Old School", "V2,Bob,C3,Hall", "V4,Di,C3,Hall"))
    assert contents() == [
        Row("V1", "Anne", "C1", "Old School"),
        Row("V2", "Bob", "C3", "Hall"),
        Row("V3", "Cy", "C2", "Gym"),
        Row("V4", "Di", "C3", "Hall"),
    ]


def test_a_file_without_rows_imports_nobody(database: str, write: Write) -> None:
    assert import_csv(write()) == Imported(0, 0, 0)
    assert contents() == []


def test_a_big_file_goes_through_in_several_batches(database: str, tmp_path: Path) -> None:
    book = fake_roll_book(25_000)
    path = tmp_path / "voters.csv"
    export_csv(path, book.rows())
    assert import_csv(path) == Imported(25_000, len(book.sizes), 0)
    assert contents() == list(book.rows())


def test_one_bad_row_and_nothing_is_imported(database: str, write: Write) -> None:
    import_csv(write("V1,Ann,C1,School"))
    path = write("V1,Anne,C1,Gym", "V2,,C1,Gym")
    message, told = refused(path)
    assert message.startswith(f"{path}: 1 bad row, nothing was imported")
    assert told == [BadRow(3, "empty voter_name", "V2,,C1,Gym")]
    assert contents() == [Row("V1", "Ann", "C1", "School")]


def test_every_bad_row_is_told_in_the_order_of_lines(database: str, write: Write) -> None:
    path = write(
        "V1,Ann,C1,School",
        'V2,"Two\nLines",C1,School',
        "V1,Ann again,C1,School",
        "V3,Cy,C1,Gym",
        b"V4,Zo\xeb,C1,School",
        "V5",
        "V1,Ann once more,C2,Gym",
        "V6,Di,C2,Gym",
        "V7,Ed,C2,Hall",
    )
    message, told = refused(path)
    assert "7 bad rows" in message
    assert [(row.line, row.reason.split(" (")[0]) for row in told] == [
        (3, "voter_name has a line break"),
        (5, "duplicate voter V1: already in line 2"),
        (6, "center C1 has two names: Gym here, School in line 2"),
        (7, "bad encoding: byte 6 of line 7"),
        (8, "missing column: voter_name, center_id, center_name"),
        (9, "duplicate voter V1: already in line 2"),
        (11, "center C2 has two names: Hall here, Gym in line 10"),
    ]
    assert [row.record for row in told][1:3] == ["V1,Ann again,C1,School", "V3,Cy,C1,Gym"]
    assert contents() == []


def test_a_voter_who_stands_twice_in_the_same_words_is_a_duplicate_too(
    database: str, write: Write
) -> None:
    _, told = refused(write("V1,Ann,C1,School", "V1,Ann,C1,School"))
    assert [(row.line, row.reason) for row in told] == [
        (3, "duplicate voter V1: already in line 2")
    ]


def test_ids_that_a_locale_takes_for_equal_are_different(database: str, write: Write) -> None:
    path = write("v1,Ann,c1,School", "V1,Ann,C1,Gym", "é,Bo,ß,A", "e\u0301,Bo,ss,B", "E,Bo,SS,C")
    assert import_csv(path) == Imported(5, 5, 0)


def test_bad_rows_are_skipped_and_written_down(database: str, write: Write, tmp_path: Path) -> None:
    out = tmp_path / "rejected.csv"
    path = write("V1,Ann,C1,School", b'V2,Zo\xeb,"C,1",School', "V1,Bob,C1,School", "V3,Cy,C2,Gym")
    done = import_csv(path, skip_bad_rows=out)
    assert done == Imported(voters=2, centers=2, rejected=2)
    assert [row.voter_id for row in contents()] == ["V1", "V3"]
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["line", "reason", "record"],
            ["3", "bad encoding: byte 6 of line 3 (0xEB) is not UTF-8", 'V2,Zo\\xeb,"C,1",School'],
            ["4", "duplicate voter V1: already in line 2", "V1,Bob,C1,School"],
        ]


def test_a_rejected_row_does_not_decide_the_name_of_a_center(
    database: str, write: Write, tmp_path: Path
) -> None:
    path = write("V1,Ann,C1,School", "V1,Ann,C2,Wrong", "V2,Bob,C2,Right")
    assert import_csv(path, skip_bad_rows=tmp_path / "out.csv").rejected == 1
    assert center_names() == {"C1": "School", "C2": "Right"}


def test_without_bad_rows_the_file_of_rejects_is_a_header(
    database: str, write: Write, tmp_path: Path
) -> None:
    out = tmp_path / "rejected.csv"
    out.write_text("of an earlier import")
    import_csv(write("V1,Ann,C1,School"), skip_bad_rows=out)
    assert out.read_text().splitlines() == ["line,reason,record"]


def test_a_header_that_is_wrong_leaves_the_file_of_rejects_alone(
    sqlite_database: str, tmp_path: Path
) -> None:
    out = tmp_path / "rejected.csv"
    out.write_text("of an earlier import")
    path = tmp_path / "voters.csv"
    path.write_text("nonsense\n")
    with pytest.raises(UsageError, match="missing header"):
        import_csv(path, skip_bad_rows=out)
    assert out.read_text() == "of an earlier import"
    assert not [name for name in names_in(tmp_path) if name.startswith(".")]


def test_the_temporary_tables_do_not_stay(database: str, write: Write) -> None:
    for path in (write("V1,Ann,C1,School"), write("V1,,C1,School")):
        try:
            import_csv(path)
        except BadRows:
            continue
        with engine().connect() as connection:
            assert "import_rows" not in inspect(connection).get_temp_table_names()
    assert import_csv(write("V1,Ann,C1,School")).voters == 1


def test_the_reading_can_be_followed(database: str, write: Write) -> None:
    seen: list[tuple[str, int | None, list[int]]] = []

    class Bar:
        def __init__(self, description: str, total: int | None) -> None:
            self.steps: list[int] = []
            seen.append((description, total, self.steps))

        def __enter__(self):
            return self.steps.append

        def __exit__(self, *_: object) -> None: ...

    path = write("V1,Ann,C1,School", "V2,Bob,C1,School")
    import_csv(path, progress=Bar)
    (reading, total, steps), (storing, *_) = seen
    assert (reading, storing) == ("Reading", "Checking and storing")
    assert sum(steps) == total == path.stat().st_size


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_a_usage_error(
    sqlite_database: str, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "no such file" if what == "missing" else tmp_path
    with pytest.raises(UsageError, match=f"cannot read {path}: "):
        import_csv(path)


def test_rejects_do_not_overwrite_their_source(sqlite_database: str, write: Write) -> None:
    path = write("V1,,C1,School")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="would overwrite the file they come from"):
        import_csv(path, skip_bad_rows=path)
    assert path.read_bytes() == before


def test_rejects_need_a_folder(sqlite_database: str, write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        import_csv(write("V1,Ann,C1,School"), skip_bad_rows=tmp_path / "nowhere" / "out.csv")
    assert contents() == []


def test_an_atomic_file_appears_at_the_end_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    def fail() -> None:
        with atomic_file(path) as out:
            out.write("half")
            assert not path.exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names_in(tmp_path) == []
    with atomic_file(path) as out:
        out.write("whole")
    assert path.read_text() == "whole"
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


text = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda value: value == value.strip())


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    voters=st.dictionaries(text, st.tuples(text, st.sampled_from(["C1", "c1", "Ć"])), max_size=20)
)
def test_what_was_exported_is_imported(
    database: str, tmp_path: Path, voters: dict[str, tuple[str, str]]
) -> None:
    empty_tables()
    rows = [Row(voter, name, center, f"of {center}") for voter, (name, center) in voters.items()]
    path = tmp_path / "voters.csv"
    export_csv(path, rows)
    assert import_csv(path).voters == len(rows)
    assert contents() == sorted(rows)
    with transaction(read_only=True) as session:
        assert roll_book.voters(session) == len(rows)
