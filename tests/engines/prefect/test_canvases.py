"""The suite of every engine on Prefect."""

import pytest

from offcanvas.testing.suite import NESTED, Canvases

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


class TestOnPrefect(Canvases):
    """See `Canvases`."""

    # Those that hold the simple ones: each flow run takes a second.
    @pytest.mark.parametrize(("canvas", "value"), NESTED)
    def test_values(self, on_engine, canvas, value):
        assert on_engine(canvas).get() == value
