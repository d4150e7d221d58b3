"""The table of public projects is made of the kept result, by the code that ports."""

import json
from pathlib import Path

from benchmarks import ports
from offcanvas.port.survey import survey
from tests.port.project import Folder


def test_the_page_has_the_kept_result() -> None:
    found = json.loads(ports.KEPT.read_text(encoding="utf-8"))
    text = ports.PAGE.read_text(encoding="utf-8")
    assert ports.page(text, found) == text
    assert {project: told["commit"] for project, told in found.items()} == ports.PROJECTS


def test_every_function_that_was_found_is_accounted_for(tmp_path: Path) -> None:
    """One that can be ported, one with a part to be written; tests are left out."""
    folder = Folder.of_example("depot", tmp_path)
    folder.write(
        "depot/grown.py",
        "from celery import chain\n\nfrom depot.tasks import add, tell\n\n\n"
        "def grown(rows):\n    steps = [add.s(1, 2)]\n    while rows:\n"
        "        steps.append(tell.si(rows.pop()))\n    return chain(*steps)\n",
    )
    told = {one.name: one for one in survey(tmp_path)}
    assert told["weights"].verdict.value == "decide"
    assert [note.code for note in told["grown"].notes if note.code[4] == "2"] == ["PORT215"]
    found = {"a/b": {"commit": "c", "canvases": [ports._told(one) for one in told.values()]}}
    assert f"| {len(told)} |" in ports.table(found)
    assert "PORT215" in ports.reasons(found)
