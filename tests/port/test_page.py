"""docs/port.md: its example is ported by its commands, which print what the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from tests.port.project import Ended, Folder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "port.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
ROWS, TASKS, WORKFLOW, CHARGE = (text for language, text in BLOCKS if language == "python")
CONSOLE = [text for language, text in BLOCKS if language == "console"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, list[tuple[str, Ended]]]:
    """What the page's commands print, one after the other in one folder."""
    folder = Folder(tmp_path_factory.mktemp("page"))
    folder.write("orders/__init__.py", "")
    folder.write("orders/rows.py", ROWS)
    folder.write("orders/tasks.py", TASKS)
    ran = []
    for block in CONSOLE:
        prompt, program, command, *arguments = shlex.split(block.partition("\n")[0])
        assert (prompt, program, command) == ("$", "offcanvas", "port")
        ran.append((block, folder.port(*arguments)))
    return folder, ran


def test_the_commands_print_what_the_page_shows(
    told: tuple[Folder, list[tuple[str, Ended]]],
) -> None:
    shown = [block.partition("\n")[2] for block, _ in told[1]]
    assert [ended.err + ended.out for _, ended in told[1]] == shown
    assert [ended.code for _, ended in told[1]] == [1, 0, 0]


def test_the_readme_shows_the_same() -> None:
    """Its two blocks are those of the page, which are run and compared here."""
    shown = re.findall(r"```py\n(.*?)```", README, re.DOTALL)
    assert shown == [PAGE[PAGE.index("def nightly(day: str):") :].partition("```")[0], WORKFLOW]


def test_the_workflow_is_the_one_of_the_page(told: tuple[Folder, list[tuple[str, Ended]]]) -> None:
    folder = told[0].path
    assert (folder / "orders_temporal/workflows.py").read_text().endswith(WORKFLOW)
    assert CHARGE in (folder / "orders/tasks.py").read_text()
