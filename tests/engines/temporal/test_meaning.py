"""The suite of what tasks and their classes do, on Temporal."""

import pytest

from tests.engines.meaning import Meaning

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


class TestOnTemporal(Meaning):
    """See `Meaning`."""
