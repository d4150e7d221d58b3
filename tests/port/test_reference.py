"""The canvases of the reference, ported by program and laid beside those ported by hand."""

from pathlib import Path

import pytest

from comparisons import baseline
from shared.database import transaction
from shared.fake import sized
from shared.roll_book import fill
from tests.port import reference
from tests.port.project import Folder


@pytest.fixture
def folders(
    tmp_path: Path, sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """The emitted packages of both engines, each with a Celery side of its own."""
    monkeypatch.setenv("ROLLS_DIR", str(tmp_path / "rolls"))
    with transaction() as session:
        fill(session, sized((1, 2)))
    baseline.run_steps("baseline")
    made = {}
    for engine in ("temporal", "prefect"):
        folder = reference.copied(tmp_path / engine)
        said = reference.port(folder, engine)
        assert "todo" not in said
        made[engine] = folder.path
    return made


def test_the_ports_are_as_short_as_those_by_hand(folders: dict[str, Path]) -> None:
    """Workflows, flows and steps, with what both import for them; the page shows two of them."""
    for engine, folder in folders.items():
        emitted = reference.lines(folder / f"reference_{engine}", reference.BY_PROGRAM[engine])
        by_hand = reference.lines(reference.ROOT / f"{engine}_impl", reference.BY_HAND[engine])
        assert emitted <= reference.MOST * by_hand
        assert Folder(folder).type_errors(f"reference_{engine}") == []
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(folders)
