"""Every voter on exactly one line of one roll, in an order that no locale changes."""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from shared import roll_book
from shared.assignment import STATION_SIZE, assign_stations, centers, stations
from shared.database import transaction
from shared.fake import sized
from shared.models import StationAssignment, Voter
from shared.roll_book import Row
from shared.steps import begin_run
from tests.services import empty_tables

RUN = "r1"


def assign(center_id: str | None = None) -> None:
    with transaction() as session:
        assign_stations(session, RUN, center_id)


def rolls() -> dict[str, list[str]]:
    """The voters' ids by station, in the order of their positions, which count from 1."""
    query = (
        select(StationAssignment.station_id, StationAssignment.position, StationAssignment.voter_id)
        .where(StationAssignment.run_id == RUN)
        .order_by(StationAssignment.station_id, StationAssignment.position)
    )
    found: dict[str, list[str]] = defaultdict(list)
    with transaction(read_only=True) as session:
        for station_id, position, voter_id in session.execute(query):
            found[station_id].append(voter_id)
            assert position == len(found[station_id])
    return dict(found)


def fill(*sizes: int) -> None:
    with transaction() as session:
        roll_book.fill(session, sized(sizes))
    begin_run(RUN, "chain", "celery")


def expected(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The same in plain Python."""
    by_center: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_center[row.center_id].append(row)
    found = {}
    for center_id, voters in by_center.items():
        voters.sort(key=lambda row: (row.voter_name, row.voter_id))
        for number, start in enumerate(range(0, len(voters), STATION_SIZE), 1):
            station = voters[start : start + STATION_SIZE]
            found[f"{center_id}-{number}"] = [row.voter_id for row in station]
    return found


@pytest.mark.parametrize("size", [0, 1, 2, 39, 40, 41, 499, 500, 501, 1_000, 1_001])
def test_the_cuts_fall_at_500(database: str, size: int) -> None:
    fill(size)
    assign()
    full, rest = divmod(size, STATION_SIZE)
    assert [len(roll) for roll in rolls().values()] == [STATION_SIZE] * full + [rest] * bool(rest)


def test_centers_do_not_share_stations_and_an_empty_center_has_none(database: str) -> None:
    fill(1001, 199, 0)
    assign()
    with transaction(read_only=True) as session:
        assert centers(session) == ["C0000", "C0001", "C0002"]
        assert stations(session, RUN) == ["C0000-1", "C0000-2", "C0000-3", "C0001-1"]
        assert stations(session, RUN, "C0001") == ["C0001-1"]
        assert stations(session, RUN, "C0002") == []
    assert rolls() == expected(list(sized([1001, 199, 0]).rows()))


def test_stations_are_listed_by_number_not_by_spelling(database: str) -> None:
    fill(5_001)
    assign()
    with transaction(read_only=True) as session:
        assert stations(session, RUN) == [f"C0000-{number}" for number in range(1, 12)]


def test_assigning_again_changes_nothing(database: str) -> None:
    fill(700, 3)
    assign()
    before = rolls()
    assign()
    assign("C0000")
    assert rolls() == before


def test_center_by_center_equals_all_at_once(database: str) -> None:
    fill(700, 3, 0, 501)
    for center_id in ("C0003", "C0000", "C0002", "C0001"):
        assign(center_id)
    piecemeal = rolls()
    assign()
    assert rolls() == piecemeal == expected(list(sized([700, 3, 0, 501]).rows()))


def test_runs_do_not_see_each_other(database: str) -> None:
    fill(3)
    begin_run("r2", "chain", "celery")
    assign()
    with transaction(read_only=True) as session:
        assert stations(session, "r2") == []


@pytest.mark.parametrize("by_center", [False, True], ids=["all", "center by center"])
def test_it_is_right_again_after_registrations_changed(database: str, by_center: bool) -> None:
    """A voter moves, another is renamed to the front, a third arrives: all rolls shift."""
    fill(501, 2)
    assign()
    rows = {row.voter_id: row for row in sized([501, 2]).rows()}
    moved, renamed = rows["V0000000"], rows["V0000001"]
    changes = [
        moved._replace(center_id="C0001", center_name="School"),
        renamed._replace(voter_name="!", center_name="School"),
        Row("V9", "Zoë", "C0001", "School"),
    ]
    with transaction() as session:
        for row in changes:
            roll_book.add_voter(session, row)
    for center_id in ("C0000", "C0001") if by_center else (None,):
        assign(center_id)
    rows.update({row.voter_id: row for row in changes})
    assert rolls() == expected(list(rows.values()))
    assert list(rolls()) == ["C0000-1", "C0001-1"]


# What locales, case rules and UTF-16 order differently from code points.
MEAN = ["a", "B", "A", "b", "Å", "A\u030a", "Z", "z", "é", "e\u0301", "e", "É", "ß", "ss", "SS"]
MEAN += ["İ", "i", "I", "\u0131", "\ufffd", "\U0001f600", "\ue000", "\U00010000", "ﬀ", "ff", "ﷺ"]
MEAN += [
    "a b",
    "a-b",
    "a'b",
    "ab",
    "a.b",
    "10",
    "9",
    "Ω",
    "ω",
    "Я",
    "я",
    "ё",
    "ع",
    "\u0627",
    "名",
    "前",
]


def test_mean_names_are_ordered_by_code_point(database: str) -> None:
    rows = [Row(f"V{n:02}", name, "C", "School") for n, name in enumerate(MEAN)]
    rows += [Row(f"v{n:02}", name, "C", "School") for n, name in enumerate(MEAN)]
    store(rows)
    assert rolls() == expected(rows)


def store(rows: Sequence[Row]) -> None:
    with transaction() as session:
        for row in rows:
            roll_book.add_voter(session, row)
    begin_run(RUN, "chain", "celery")
    assign()


def test_the_session_itself_orders_names_by_code_point(database: str) -> None:
    store([Row(f"V{n:02}", name, "C", "School") for n, name in enumerate(MEAN)])
    with transaction(read_only=True) as session:
        found = session.scalars(select(Voter.voter_name).order_by(Voter.voter_name)).all()
    assert found == sorted(MEAN)


text = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("aAbB\u0301\ud7ff\ue000😀"),
    min_size=1,
    max_size=6,
)
books = st.lists(
    st.builds(
        Row,
        voter_id=text,
        voter_name=st.sampled_from(MEAN) | text,
        center_id=st.sampled_from(["C1", "c1", "Ć1"]),
        center_name=st.just("School"),
    ),
    max_size=30,
    unique_by=lambda row: row.voter_id,
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=books)
def test_every_voter_stands_exactly_once_in_python_s_order(database: str, rows: list[Row]) -> None:
    empty_tables()
    store(rows)
    assert rolls() == expected(rows)
    assert sorted(voter for roll in rolls().values() for voter in roll) == sorted(
        row.voter_id for row in rows
    )
