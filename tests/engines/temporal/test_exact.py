"""The rows of the support table that say "exact", on Temporal."""

import pytest
from celery import VERSION

from tests.engines.exact import Exact

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(VERSION < (5, 7), reason="exact is as Celery 5.7"),
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


class TestOnTemporal(Exact):
    """See `Exact`."""
