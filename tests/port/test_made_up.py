"""Random builders, ported to Temporal and executed on a real server beside a real Celery worker.

More of them, and on Prefect too: `make differential-port`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from offcanvas.canvas.planner import Deviation
from tests.port import made_up

pytestmark = pytest.mark.servers
COUNT = 50
ENGINES = ("temporal",)


@pytest.fixture(scope="module")
def where() -> Iterator[dict[str, str]]:
    with made_up.servers(ENGINES) as found:
        yield found


@pytest.mark.parametrize("number", range(0, COUNT, made_up.BATCH))
def test_ledgers_and_ends_are_those_of_celery(
    number: int, where: dict[str, str], tmp_path: Path
) -> None:
    assert made_up.differences(tmp_path, made_up.BATCH, number, ENGINES, where) == []


def test_members_of_a_reversed_group_are_compared_as_they_are() -> None:
    """Values are compared without the order of their keys, also where they are sorted."""
    case = made_up.Case("made_up_1", "", {}, frozenset({Deviation.NESTED_GROUP_ORDER}))
    ends = [[{"a": 1, "b": 2}, {"b": 3}], [{"b": 3}, {"b": 2, "a": 1}], [{"b": 3}, {"a": 1}]]
    first, same, other = (made_up._plain(made_up.Seen(["value", e], []), case) for e in ends)
    assert first == same != other
