"""Files that commands write: whole or not at all, and never where a link leads out of the tree.

A code base that is audited may come from anybody, and what lies in it may be made to be written
through: a link under the name that a command is about to write, or under that of its temporary
file. Every command of the project writes its files with ``write_whole``.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from offcanvas.errors import UsageError

#: Names of what is open already, such as ``/dev/stdout``; they are links, and none of a tree.
_OPEN_FILES = ("/dev/fd/", "/dev/std", "/proc/")


def write_whole(path: Path, data: bytes, what: str, *, within: Path | None = None) -> None:
    """Write a file by way of a new one beside it; the mode of one that is there stays.

    A link stays a link, and what it leads to is written, if that is inside of ``within``. What is
    no regular file (a pipe, a terminal) is written to directly. A file with other hard links is
    replaced, so that those keep what they have.

    Args:
        path: the file.
        data: all of it.
        what: what the error calls the file.
        within: the tree that must not be left; the folder that holds ``path`` unless given.

    Raises:
        UsageError: it cannot be written, or it is a link that leads out of the tree. The file is
            then as it was.
    """
    try:
        if _is_written_directly(path):
            with open(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as there:  # noqa: PTH123  # mode "ab" would make a file that is not there
                there.write(data)
            return
        target = _target(path, within or path.parent, what)
        partial = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
        # "x" makes a new file or fails: it follows no link and opens nothing that is there.
        with partial.open("xb") as new:
            try:
                new.write(data)
                if target.exists():
                    os.chmod(new.fileno(), stat.S_IMODE(target.stat().st_mode))  # noqa: PTH101  # of the file that is open, whatever stands at its name now
                new.flush()
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{what} cannot be written: {why}") from error


def require_writable(path: Path, what: str) -> None:
    """See that ``write_whole`` can write there, before the work that comes first.

    Raises:
        UsageError: it cannot.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_written_directly(path):
            return
        target = _target(path, path.parent, what)
        probe = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
        with probe.open("xb"):
            pass
        probe.unlink()
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{what} cannot be written: {why}") from error


def require_place(path: Path, what: str, within: Path) -> None:
    """See that a file, and the folders it is in, can be there without a link out of the tree.

    Raises:
        UsageError: a link leads out, or to nothing, or something else is where a folder has to be.
    """
    try:
        for folder in reversed(path.parents[: len(path.parts) - len(within.parts) - 1]):
            _target(folder, within, what)
            if folder.is_symlink() and not folder.exists():
                raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a link to nothing")
            if folder.exists() and not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder")
        _target(path, within, what)
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{what} cannot be written: {why}") from error


def _is_written_directly(path: Path) -> bool:
    return str(path).startswith(_OPEN_FILES) or (
        path.exists() and not path.is_file() and not path.is_dir()
    )


def _target(path: Path, within: Path, what: str) -> Path:
    """What is to be replaced: the file, or what it leads to inside of the tree."""
    target = path.resolve()
    if target.is_symlink():  # links in a circle: since Python 3.13 resolve() says nothing of them
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not target.is_relative_to(within.resolve()):
        raise UsageError(
            f"{what} cannot be written: it is a link that leads out of {within}, to {target}; "
            f"name the file itself"
        )
    return target


def cache_folder() -> Path | None:
    """OFFCANVAS_CACHE_DIR, else the user's cache folder; None for a user without a home."""
    own = os.environ.get("OFFCANVAS_CACHE_DIR")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "offcanvas"
    except RuntimeError:  # neither HOME nor an entry in the system's list of users
        return None


def is_ours(descriptor: int) -> bool:
    """Whether only this user can have written it; in a folder for all, others could have."""
    if not hasattr(os, "geteuid"):
        return True
    found = os.fstat(descriptor)
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
