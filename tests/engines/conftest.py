"""Where tasks write; and assertions of the suite for every engine that say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.engines.meaning", "tests.engines.exact")


@pytest.fixture
def path(tmp_path):
    """Where tasks write, as text."""
    return str(tmp_path / "written")
