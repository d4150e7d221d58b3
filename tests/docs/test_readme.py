"""Every command of the README and of docs/workflow.md is run, and prints what the page shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from offcanvas.servers import redis

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
WORKFLOW = (ROOT / "docs" / "workflow.md").read_text(encoding="utf-8")


def shell(page: str) -> list[str]:
    """The command lines of a page."""
    texts = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [line for text in texts for line in text.splitlines()]


SHELL = [*shell(PAGE), *shell(WORKFLOW)]
CONSOLE = [text for language, text in BLOCKS if language == "console"]
PROGRAMS = [text for language, text in BLOCKS if language == "python"]

# Commands that a test of their own runs at length, and what is looked at here.
ELSEWHERE = {
    "make compare": "tests/comparisons/test_timing.py",
    "make faults": "tests/faults/test_command.py",
    "make test": "is running this",
    "python -m comparisons serve": "tests/comparisons/test_timing.py",
}
VOTERS = "voter_id,voter_name,center_id,center_name\nV1,Ana Öz,C1,École\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the page has a person export: a database, and what `serve` prints for Celery."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "voters.csv").write_text(VOTERS, encoding="utf-8")
    with redis() as server:
        yield {
            **os.environ,
            **server.environment,
            "DATABASE_URL": f"sqlite:///{folder / 'voters.db'}",
            "ROLLS_DIR": str(folder / "rolls"),
            "PYTHONPATH": str(ROOT),
            "README_FOLDER": str(folder),
        }


def words(line: str) -> list[str]:
    program, *arguments = line.split()
    assert program == "python", line
    return [sys.executable, *arguments]


@pytest.mark.servers
def test_the_commands_by_hand_work_in_the_order_of_the_page(environment: dict[str, str]) -> None:
    by_hand = [line for line in SHELL if line not in ELSEWHERE]
    assert len(by_hand) >= 7
    worker = None
    try:
        for line in by_hand:
            if " worker " in line:
                worker = subprocess.Popen(
                    words(line),
                    cwd=environment["README_FOLDER"],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                continue
            ran = subprocess.run(
                words(line),
                cwd=environment["README_FOLDER"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
            assert ran.stdout.strip(), f"{line} printed nothing"
            if " start " in line:
                assert "total: 264" in ran.stdout
    finally:
        if worker is not None:
            worker.terminate()
            assert worker.wait(300) == 0


def test_commands_that_run_elsewhere_exist_and_are_on_the_page() -> None:
    assert set(ELSEWHERE) <= set(SHELL)
    for line, where in ELSEWHERE.items():
        assert where == "is running this" or (ROOT / where).is_file(), line
        if line.startswith("make "):
            plan = subprocess.run(
                ["make", "-n", line.split()[1]],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            runs = {"compare": "-m comparisons timing", "faults": "-m comparisons faults"}
            assert runs.get(line.split()[1], "-m tests") in plan.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(PROGRAMS[0], encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("block", CONSOLE)
def test_the_kit_prints_what_the_page_shows(shop: Path, block: str) -> None:
    command, _, output = block.partition("\n")
    prompt, program, *arguments = command.split()
    assert (prompt, program) == ("$", "offcanvas")
    ran = python(shop, "-c", "from offcanvas.cli import main; main()", *arguments)
    # A check says beforehand, on stderr, what it is about to do.
    assert ran.stderr + ran.stdout == output
    assert (ran.stderr == "") is (" check " not in command)
    assert ran.returncode == (1 if " audit " in command else 0)


@pytest.mark.servers
def test_the_switch_runs(shop: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    app = PROGRAMS[0].replace('"redis://", backend="redis://"', f'"", backend="file://{results}"')
    assert "file://" in app
    (shop / "shop.py").write_text(app, encoding="utf-8")
    (shop / "switch.py").write_text(PROGRAMS[1], encoding="utf-8")
    ran = python(shop, "switch.py")
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "6\n")


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_tables_of_the_page_name_what_is_there() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
