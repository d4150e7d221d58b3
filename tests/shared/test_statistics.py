from shared import roll_book
from shared.database import transaction
from shared.fake import sized
from shared.statistics import Statistics, statistics


def test_an_empty_roll_book(database: str) -> None:
    with transaction(read_only=True) as session:
        assert statistics(session) == Statistics(0, 0, 0, 0, 0, 0)


def test_counts(database: str) -> None:
    with transaction() as session:
        roll_book.fill(session, sized([501, 500, 1, 0]))
        assert statistics(session) == Statistics(
            voters=1_002,
            centers=4,
            centers_without_voters=1,
            smallest_center=0,
            largest_center=501,
            stations=4,
        )
