"""Forms in which people write what the audit looks for, one file a form, in `forms/`.

A file says first what is to be found, a line each, and then holds a small project after lines of
`--- path`. Lines are `tasks:`, `settings:` (among others), `base:`, `option: a = 1` (of every
task), `canvas:` (a drawing with " / " between its lines), `unclear:`, and a rule with its places.
"""

import ast
from pathlib import Path

import pytest

from offcanvas.audit.drawing import outline_tree
from offcanvas.audit.inventory import draw
from offcanvas.audit.module import Module
from tests.audit.helpers import audit, project

FORMS = sorted((Path(__file__).parent / "forms").glob("*.txt"))


def read(form: Path) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """(what is wanted, the files) of a form."""
    head, *parts = form.read_text().split("--- ")
    wanted = []
    for line in head.splitlines():
        what, _, value = line.partition(": ")
        wanted.append((what, value))
    files = {}
    for part in parts:
        path, _, body = part.partition("\n")
        files[path] = body
    return wanted, files


def found(code: str, files: dict[str, str]) -> str:
    """ "tasks.py:7 high, tasks.py:9 medium in doubt"; "nothing"."""
    said = [
        f"{f.path}:{f.line} {f.severity.name.lower()}{' in doubt' if f.doubt else ''}"
        for f in audit(code, files)
    ]
    return ", ".join(said) or "nothing"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form(form: Path) -> None:
    wanted, files = read(form)
    read_project = project(files)
    tasks = read_project.tasks
    canvases = []
    for what, value in wanted:
        if what == "tasks":
            assert ", ".join(sorted(t.name for t in tasks)) == value
        elif what == "settings":
            assert {*value.split(", ")} <= {s.key for s in read_project.settings.written}
        elif what == "base":
            assert {t.base for t in tasks} == {value}
        elif what == "option":
            option, _, given = value.partition(" = ")
            assert {t.literal(option) for t in tasks} == {ast.literal_eval(given)}
        elif what == "unclear":
            assert bool(read_project.unclear) is (value == "yes")
        elif what == "canvas":
            canvases.append(value.replace(" / ", "\n"))
        else:
            assert found(what, files) == value
    if canvases:
        opened = Module.opened(read_project, "tasks.py")
        assert opened is not None
        assert [outline_tree(draw(o)) for o in opened.canvases] == canvases


def test_each_kind_has_several_forms() -> None:
    kinds = [form.stem.partition("-")[0] for form in FORMS]
    assert len({*kinds}) == 30
    assert all(kinds.count(kind) >= 3 for kind in kinds)
    assert all(read(form)[0] and read(form)[1] for form in FORMS)
