"""The Python files of a folder as they were at a git ref, without touching the work tree."""

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from offcanvas.audit.discover import left_out
from offcanvas.audit.syntax import LARGEST
from offcanvas.errors import UsageError


def sources_at(
    root: Path, ref: str, exclude: Sequence[str] = (), *, tests: bool = False
) -> dict[str, bytes]:
    """Content by path relative to `root`. Raises UsageError without git, repository or ref."""
    listing = _git(root, ref, "ls-tree", "-r", "-z", "--full-tree", f"{ref}:./")
    objects: dict[str, str] = {}
    for entry in listing.decode("utf-8", "surrogateescape").split("\0"):
        about, _, path = entry.partition("\t")
        mode, _, rest = about.partition(" ")
        if not mode.startswith("100") or not path.endswith(".py"):
            continue  # a link, a submodule, or no Python
        if not left_out(path, exclude, tests=tests):
            objects[path] = rest.rpartition(" ")[2]
    small = _readable(root, ref, objects.values())
    return _contents(root, ref, {path: one for path, one in objects.items() if one in small})


def _readable(root: Path, ref: str, objects: Iterable[str]) -> set[str]:
    """Those objects that are there (a partial clone leaves some out) and not too large."""
    answer = _git(root, ref, "cat-file", "--batch-check", given=_one_a_line(objects))
    said = [line.split() for line in answer.decode().splitlines()]
    return {one for one, *rest in said if rest[0] == "blob" and int(rest[1]) <= LARGEST}


def _contents(root: Path, ref: str, objects: Mapping[str, str]) -> dict[str, bytes]:
    answer = _git(root, ref, "cat-file", "--batch", given=_one_a_line(objects.values()))
    sources: dict[str, bytes] = {}
    position = 0
    for path in objects:
        end = answer.index(b"\n", position)
        size = int(answer[position:end].split()[-1])
        position = end + 1
        sources[path] = answer[position : position + size]
        position += size + 1
    return sources


def _one_a_line(objects: Iterable[str]) -> bytes:
    return "".join(f"{one}\n" for one in objects).encode()


#: The repository may be anybody's, and its configuration can name programs for git to run. So git
#: gets nothing from elsewhere (a partial clone would fetch what is missing, by any command that
#: "ssh" or a transport is configured to be), and runs no hook, monitor, filter or pager of it.
#: https://git-scm.com/docs/git#_security and https://git-scm.com/docs/git-config (safe.directory)
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "false",
    "GIT_PAGER": "cat",
    "GIT_ATTR_NOSYSTEM": "1",
}
_CONFIGURATION: Final = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.sshCommand=false"),
    *("core.gitProxy=", "core.askPass=true", "credential.helper=", "protocol.allow=never"),
    *("safe.bareRepository=explicit", "diff.external=", "core.attributesFile=/dev/null"),
)


def _git(root: Path, ref: str, *command: str, given: bytes | None = None) -> bytes:
    if ref.startswith("-"):
        raise UsageError(f"--against: {ref!r} is not a git ref")
    settings = [word for one in _CONFIGURATION for word in ("-c", one)]
    try:
        done = subprocess.run(
            ["git", *settings, "-C", str(root), *command],
            input=given,
            env={**os.environ, **_ENVIRONMENT},
            capture_output=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise UsageError("--against needs git, which was not found") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"]
        raise UsageError(f"--against {ref}: {lines[0].removeprefix('fatal: ')}") from error
    return done.stdout
