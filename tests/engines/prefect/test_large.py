"""The suite of what is too large for one message, on Prefect."""

import pytest

from tests.engines.large import Large

pytestmark = pytest.mark.servers


class TestOnPrefect(Large):
    """See `Large`."""
