"""Without voters, and without centers: empty groups and chords."""

from collections.abc import Iterator

import pytest

from shared.contract import Outcome
from shared.variants import JOIN_FORBIDDEN, VARIANTS, Answer
from tests.celery_impl.places import BOOK, Place, register
from tests.services import empty_tables

pytestmark = pytest.mark.servers


@pytest.fixture(params=[{}, {"A": 0}], ids=["no center", "an empty center"])
def small(request: pytest.FixtureRequest, work: Place) -> Iterator[Place]:
    empty_tables()
    register(**request.param)
    yield work
    empty_tables()
    register(**BOOK)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.name)
def test_nothing_to_do_is_done(small: Place, variant) -> None:
    outcome = small.run(variant.name)[2]
    if variant.celery_error:
        assert outcome.error_text.startswith(JOIN_FORBIDDEN)
    elif variant.answer in {Answer.TOTAL, Answer.ERROR}:
        assert outcome == Outcome(total_pages=0)
    else:
        assert outcome == Outcome()
