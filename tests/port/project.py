"""A project in a folder, ported by the command line as a user would."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.preloaded import command

EXAMPLES = Path(__file__).with_name("examples")
#: What mypy has found out about the packages that ports import, from one test to the next.
TYPED = {"MYPY_CACHE_DIR": str(Path(__file__).parents[2] / ".mypy_cache" / "emitted")}
SAMPLES = (
    '{"day": "monday"}',
    '{"run_id": "r1"}',
    '{"url": "shop.example"}',
    '{"path": "A.JPG"}',
    '{"names": ["a", "b", "c"]}',
)


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Folder:
    """The working directory of a user."""

    path: Path

    @classmethod
    def of_example(cls, name: str, path: Path) -> "Folder":
        shutil.copytree(EXAMPLES / name, path / name)
        return cls(path)

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def port(self, *arguments: str) -> Ended:
        ended = command(["port", *arguments], self.path, self._environment())
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **TYPED, "SHOP_LEDGER": str(self.path / "ledger.jsonl")}

    def run(self, *arguments: str, **environment: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env={**self._environment(), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def type_errors(self, package: str) -> list[str]:
        """What strict mypy finds in ``package``, and not in what the package imports.

        With `--follow-imports=silent` mypy would leave out the same, and could not use what it has
        found out without that option: it would read all of Prefect anew.
        """
        ended = self.run("-m", "mypy", "--strict", package)
        assert ended.code in {0, 1}, ended.err
        assert not ended.err, ended.err
        return [line for line in ended.out.splitlines() if line.startswith(f"{package}/")]

    def all_samples(self) -> list[str]:
        return [word for sample in SAMPLES for word in ("--sample", sample)]
