"""Options of every kind, links, chunks, maps and nested chords as Prefect flows."""

import ast
from pathlib import Path

import pytest

from tests.port.project import Folder
from tests.port.test_shop import GOLDEN

TARGETS = (".", "depot.tasks:linked")


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.of_example("depot", tmp_path_factory.mktemp("ported"))
    ended = folder.port(*TARGETS, "--to", "prefect")
    assert (ended.code, ended.err) == (1, "")
    return folder


def test_what_is_emitted_is_as_kept(tmp_path: Path) -> None:
    """Looked at by people; `python -m tests.port` writes it anew."""
    depot = Folder.of_example("depot", tmp_path)
    ended = depot.port(*TARGETS, "--to", "prefect", "--diff")
    assert ended.code == 1
    assert ended.out == (GOLDEN / "depot_prefect.diff").read_text()


def test_the_port_is_typed_and_formatted(ported: Folder) -> None:
    typed = ported.run("-m", "mypy", "--strict", "depot_prefect")
    assert typed.code == 0, typed.out
    formatted = ported.run("-m", "ruff", "format", "--check", "--line-length=100", "depot_prefect")
    assert formatted.code == 0, formatted.out


def test_a_project_without_annotations_has_a_typed_port(tmp_path: Path) -> None:
    folder = Folder.of_example("depot", tmp_path)
    file = folder.path / "depot/tasks.py"
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    file.write_text(ast.unparse(tree))
    assert folder.port(*TARGETS, "--to", "prefect").code == 1
    typed = folder.run("-m", "mypy", "--strict", "depot_prefect")
    assert typed.code == 0, typed.out


def test_a_step_that_cannot_be_written_raises_and_is_reported(ported: Folder) -> None:
    steps = (ported.path / "depot_prefect/tasks.py").read_text()
    body = steps.partition("def measure(")[2].partition("@task")[0]
    assert "# TODO(PORT212)" in body
    assert "raise NotImplementedError(" in body
    assert "`PORT212` depot/tasks.py:84" in (ported.path / "depot_prefect/PORT.md").read_text()


SPREAD = """
from celery import chain

from depot.tasks import add, tell


def spread(a: int):
    steps = [add.s(a, 1)]
    while len(steps) < 2:
        steps.append(tell.si("x"))
    return chain(*steps)
"""


def test_a_canvas_with_a_part_to_write_is_not_refused_for_its_sample(tmp_path: Path) -> None:
    folder = Folder.of_example("depot", tmp_path)
    folder.write("depot/extra.py", SPREAD)
    ended = folder.port("depot.extra:spread", "--to", "prefect", "--diff", "--sample", '{"a": 1}')
    assert ended.code == 1
    assert "PORT215 todo" in ended.err
    assert "PORT901 decide: spread: a part of it is yours to write" in ended.err
    assert "+    raise NotImplementedError(" in ended.out
