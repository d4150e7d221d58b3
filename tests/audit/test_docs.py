"""What the documentation shows is what happens."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from offcanvas.audit.config import load_config
from offcanvas.audit.reference import reference

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "audit.md").read_text("utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


def runs() -> list[tuple[str, str, int]]:
    """(command, what it prints, exit code) of every `$` line of the page."""
    found = []
    for block in BLOCKS:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            code = re.search(r"\[exit (\d)\]\n", output)
            found.append(
                (command, re.sub(r"\[exit \d\]\n", "", output), int(code[1]) if code else 0)
            )
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether what is shown was printed; a line of "..." stands for any lines."""
    pattern = "".join(
        "(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    source = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert source is not None
    (made / "tasks.py").write_text(source[1])
    return made


@pytest.mark.parametrize(("command", "shown", "code"), runs(), ids=[r[0] for r in runs()])
def test_a_command_of_the_page(folder: Path, command: str, shown: str, code: int) -> None:
    program, *arguments = shlex.split(command)
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=folder,
        env={**os.environ, "OFFCANVAS_CACHE_DIR": str(folder / ".cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert matches(shown, done.stdout), done.stdout


def test_the_page_shows_commands() -> None:
    assert len(runs()) >= 7


def test_the_configuration_of_the_page_is_read(tmp_path: Path) -> None:
    shown = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    (tmp_path / "pyproject.toml").write_text(shown[1])
    config = load_config(tmp_path)
    assert config.strict
    assert config.baseline == tmp_path / "baseline.json"
    assert config.exclude == ("legacy/*", "*_pb2.py")


def test_the_reference_is_current() -> None:
    written = (ROOT / "docs" / "audit-rules.md").read_text("utf-8")
    assert written == reference(), "run: python -m offcanvas.audit.reference > docs/audit-rules.md"


def test_the_pre_commit_hook_starts_the_command() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert [hook["id"] for hook in hooks] == ["offcanvas-audit"]
    program, command = hooks[0]["entry"].split()
    done = subprocess.run(
        [Path(sys.executable).with_name(program), command, "--help"],
        capture_output=True,
        check=True,
    )
    assert b"--baseline" in done.stdout
