"""An empty database of Prefect's, kept from the first private server for those that come later.

Prefect makes its tables by more than a hundred migrations: half of what a new server on SQLite
needs to start. What they come to depends on Prefect's version alone. So it is copied, once a server
answers and before anybody has used it, into the folder for caches, and copied from there for the
next one. Where that cannot be done each server makes its tables, as Prefect's own does.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from offcanvas.files import cache_folder, is_ours


def _kept() -> Path | None:
    folder = cache_folder()
    return folder / f"prefect-{version('prefect')}.db" if folder is not None else None


def begin(database: Path) -> None:
    """Make ``database`` a copy of the empty one, if there is one that only this user can write."""
    kept = _kept()
    if kept is None:
        return
    try:
        with kept.open("rb") as file:
            if not is_ours(file.fileno()):
                return
        _copy(kept, database)
    except (OSError, sqlite3.Error):
        database.unlink(missing_ok=True)  # the server makes its tables


def keep(database: Path) -> None:
    """Keep a copy of ``database``, of a server that answers and has been asked nothing yet."""
    kept = _kept()
    if kept is None or kept.exists():
        return
    partial = kept.with_name(f".{kept.name}.{secrets.token_hex(8)}.part")
    # Without a copy the next server takes longer, nothing else.
    with contextlib.suppress(OSError, sqlite3.Error):
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
            _copy(database, partial)
            partial.replace(kept)
        finally:
            partial.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """All that has been committed, whether or not a server is at work on it."""
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as old:
        old.execute("SELECT version_num FROM alembic_version").fetchone()
        with closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")  # one file; the server takes another mode
