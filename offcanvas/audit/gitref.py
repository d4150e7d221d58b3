"""The Python files of a folder as they were at a git ref, without touching the work tree."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from offcanvas.audit.discover import left_out
from offcanvas.errors import UsageError


def sources_at(
    root: Path, ref: str, exclude: Sequence[str] = (), *, tests: bool = False
) -> dict[str, bytes]:
    """Content by path relative to `root`. Raises UsageError without git, repository or ref."""
    listing = _git(root, ref, "ls-tree", "-r", "-z", "--full-tree", "--name-only", f"{ref}:./")
    paths = [p for p in listing.decode("utf-8", "surrogateescape").split("\0") if p]
    wanted = [p for p in paths if p.endswith(".py") and not left_out(p, exclude, tests=tests)]
    request = "".join(f"{ref}:./{path}\n" for path in wanted if "\n" not in path)
    answer = _git(
        root, ref, "cat-file", "--batch", given=request.encode("utf-8", "surrogateescape")
    )
    sources: dict[str, bytes] = {}
    position = 0
    for path in wanted:
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        position = end + 1
        if header[-1] == b"missing":
            continue  # listed, but left out of a partial clone
        size = int(header[-1])
        sources[path] = answer[position : position + size]
        position += size + 1
    return sources


def _git(root: Path, ref: str, *command: str, given: bytes | None = None) -> bytes:
    if ref.startswith("-"):
        raise UsageError(f"--against: {ref!r} is no git ref")
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *command], input=given, capture_output=True, check=True
        )
    except FileNotFoundError as error:
        raise UsageError("--against needs git, which was not found") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
        raise UsageError(f"--against {ref}: {lines[0].removeprefix('fatal: ')}") from error
    return done.stdout
