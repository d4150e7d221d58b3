"""The result backend of a run: a folder."""

from pathlib import Path

from offcanvas.celery_app.private_results import private_results
from tests.engines.apart import app


def test_who_reads_while_a_result_is_written_has_the_whole_of_the_one_before():
    with private_results(app):
        app.backend.set(b"key", b"before")
        folder = Path(app.backend.path.decode())
        with (folder / "key").open("rb") as reader:
            app.backend.set(b"key", "after")
            assert reader.read() == b"before"
        assert app.backend.get(b"key") == b"after"
        assert [path.name for path in folder.iterdir()] == ["key"]
