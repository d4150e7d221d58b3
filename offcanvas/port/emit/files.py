"""Files as they are emitted: assembled from parts, then put in order by ruff."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from offcanvas.errors import MissingExtra

#: Line length of what is emitted.
WIDTH: Final = 100
#: Minor versions of Python 3: the oldest that the kit runs on, the newest that its ruff knows.
_OLDEST: Final = 11
_NEWEST: Final = 14


@dataclass(slots=True)
class Source:
    """One emitted module while it is written."""

    doc: str
    imports: set[str] = field(default_factory=set)
    parts: list[str] = field(default_factory=list)

    def add(self, part: str) -> None:
        """Append a definition or statement."""
        self.parts.append(part)

    def text(self) -> str:
        """The module, not yet formatted."""
        head = [f'"""{self.doc}"""', "\n".join(sorted(self.imports))]
        return "\n\n".join(part for part in (*head, *self.parts) if part) + "\n"


def formatted(files: Mapping[str, str], first_party: tuple[str, ...]) -> dict[str, str]:
    """The Python files among these, imports sorted and unused ones gone, as ``ruff format`` has it.

    Raises:
        MissingExtra: ruff is not installed.
        RuntimeError: what was emitted is not Python, which is a fault of the emitter.
    """
    said = ""
    # Bodies that came along may be in a newer Python, that of the project.
    for minor in sorted({_OLDEST, min(sys.version_info.minor, _NEWEST)}):
        try:
            return {**files, **_in_order(files, first_party, f"py3{minor}")}
        except SyntaxError as error:
            said = str(error)
    raise RuntimeError(said)


def _in_order(
    files: Mapping[str, str], first_party: tuple[str, ...], target: str
) -> dict[str, str]:
    ruff = _ruff()
    python = [path for path in files if path.endswith(".py")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in python:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(files[path])
        known = ", ".join(f'"{one}"' for one in first_party)
        (folder / "ruff.toml").write_text(
            f'line-length = {WIDTH}\ntarget-version = "{target}"\n'
            f"[lint]\nselect = ['I', 'F401', 'F841']\n[lint.isort]\nknown-first-party = [{known}]\n"
        )
        common = ["--quiet", "--no-cache", "--config", str(folder / "ruff.toml")]
        for command in (["check", "--fix", "--unsafe-fixes"], ["format"]):
            ended = subprocess.run(
                [*ruff, *command, *common, *python],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode != 0:
                raise SyntaxError(f"ruff {command[0]}: {ended.stdout}{ended.stderr}")
        return {path: (folder / path).read_text() for path in python}


def _ruff() -> list[str]:
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.exists() else shutil.which("ruff")
    if found is None:
        raise MissingExtra("port writes source with ruff: pip install ruff")
    return [found]


def without_unused_imports(text: str) -> str:
    """A module without the imports that nothing in it uses.

    Raises:
        MissingExtra: ruff is not installed.
    """
    command = [*_ruff(), "check", "--quiet", "--no-cache", "--isolated", "--select", "F401"]
    ended = subprocess.run(
        [*command, "--fix", "--exit-zero", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout if ended.returncode == 0 else text


def sorted_imports(text: str) -> str:
    """A module with its imports in order, those of one module in one statement.

    Raises:
        MissingExtra: ruff is not installed.
    """
    common = ["--quiet", "--no-cache", "--isolated", "--line-length", str(WIDTH)]
    command = [*_ruff(), "check", *common, "--select", "I", "--fix", "--exit-zero", "-"]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return ended.stdout if ended.returncode == 0 else text
