"""The suite of what tasks and their classes do, on Prefect."""

import pytest

from tests.engines.meaning import Meaning

pytestmark = [
    pytest.mark.servers,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


class TestOnPrefect(Meaning):
    """See `Meaning`."""
