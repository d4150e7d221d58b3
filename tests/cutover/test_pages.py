"""The tables of the pages are those of the kept results."""

from pathlib import Path

import pytest

from docs.tools.cutover import TABLES
from docs.tools.monitoring import filled

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["cutover.md", "drain.md", "schedules.md"])
def test_the_tables_are_those_of_the_kept_results(name):
    page = (DOCS / name).read_text(encoding="utf-8")
    assert "<!-- end of" in page
    assert filled(page, TABLES) == page, "make pages"
