"""Which files of a folder are read: Python files, without tests, migrations and installed code."""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from offcanvas.audit.deploy import is_deploy_file
from offcanvas.errors import UsageError

NOT_PRODUCT: Final = (
    *("test", "tests", "testing", "migrations"),
    *("test_*.py", "*_test.py", "*_tests.py", "tests.py", "conftest.py"),
)
"""Names of files and folders that are no product code; left out unless tests are included."""
_NEVER: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


def discover(
    root: Path,
    exclude: Sequence[str] = (),
    *,
    tests: bool = False,
    unreadable: dict[str, str] | None = None,
    deploy: list[str] | None = None,
) -> Iterator[str]:
    """Paths of the Python files below `root`, relative to it, sorted within each folder.

    `exclude` holds shell patterns for a path ("legacy/*") or any one name in it ("*_pb2.py").
    Hidden folders, virtual environments and links to folders are not entered, so that no link
    leads around in a circle. Folders that cannot be read go to `unreadable`, with the reason, and
    the files of process managers to `deploy`.
    Raises UsageError when `root` cannot be read.
    """
    if root.is_file():
        yield root.name
        return
    patterns = (*exclude, *(() if tests else NOT_PRODUCT))
    try:
        next(root.iterdir(), None)
    except OSError as error:
        raise UsageError(f"{root} cannot be read: {error.strerror}") from error

    def note(error: OSError) -> None:
        # Of a locked folder: Path.exists() below it would raise where os.path's is false.
        if unreadable is not None:
            where = Path(error.filename).relative_to(root).as_posix()
            unreadable[where] = error.strerror or str(error)

    for folder, folders, names in os.walk(root, onerror=note):
        base = Path(folder)
        inside = base.relative_to(root)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _NEVER
            and not os.path.exists(base / name / "pyvenv.cfg")  # noqa: PTH110  (see `note`)
            and not _matches(inside / name, patterns)
        )
        for name in sorted(names):
            path = inside / name
            if name.endswith(".py") and not _matches(path, patterns):
                yield path.as_posix()
            elif deploy is not None and is_deploy_file(name) and not _matches(path, exclude):
                deploy.append(path.as_posix())


def left_out(path: str, exclude: Sequence[str] = (), *, tests: bool = False) -> bool:
    """Whether `discover` would leave out a file by its name alone, or by that of a folder."""
    patterns = (*exclude, *(() if tests else NOT_PRODUCT))
    pure = Path(path)
    folders = [*pure.parents][:-1]
    return any(
        f.name.startswith(".") or f.name in _NEVER or _matches(f, patterns) for f in folders
    ) or _matches(pure, patterns)


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    text, name = path.as_posix(), path.name
    return any(
        fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(text, pattern)
        for pattern in patterns
    )
