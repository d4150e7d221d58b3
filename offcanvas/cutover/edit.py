"""Changing the rule file by command: its comments and its order stay, and it is written whole."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from offcanvas.cutover.live import read_text
from offcanvas.cutover.rules import Rules, parse
from offcanvas.errors import UsageError
from offcanvas.files import write_whole


def change(
    path: Path,
    root: str,
    values: Mapping[str, Any],
    check: Callable[[Rules], None] = lambda _rules: None,
    *,
    claims: str | None = None,
) -> Rules:
    """Set fields of a root's rule, and write the file if it is one that can be used.

    Args:
        path: the file; it is made if it is not there.
        root: the root.
        values: fields of the rule as the file calls them; None removes one.
        check: raises what is wrong with the rules besides.
        claims: the address of the claims, for a file that has none.

    Raises:
        UsageError: the file, or what it would become, cannot be used. It is as it was.
    """
    with _locked(path):
        text = read_text(path) if path.exists() else ""
        parse(text, str(path)) if text else None
        try:
            document: Any = tomlkit.parse(text)
        except TOMLKitError as error:
            raise UsageError(f"{path}: is not TOML: {error}") from None
        if claims is not None:
            head = document.setdefault("cutover", tomlkit.table())
            head["claims"] = claims
        tables = document.setdefault("root", tomlkit.table(is_super_table=True))
        if root not in tables:
            tables[root] = tomlkit.table()
        rule = tables[root]
        before = rule.get("percent", None)
        for name, value in values.items():
            if value is None:
                rule.pop(name, None)
            else:
                rule[name] = value
        if rule.get("percent") != before:
            rule["since"] = int(time.time())
        new = tomlkit.dumps(document)
        rules = parse(new, str(path))
        check(rules)
        write_whole(path, new.encode(), str(path))
        return rules


def stop(path: Path, root: str, why: str) -> Rules:
    """Send nothing of a root to its engine from now on, whatever the key."""
    kept = parse(read_text(path), str(path)).roots
    if root not in kept:
        raise UsageError(f"{path}: there is no rule for {root}")
    return change(path, root, {"percent": 0, "on": None, "stopped": why})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands at once do not lose each other's change; the lock is on the folder."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
