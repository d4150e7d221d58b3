"""Writing over what a team has made of an earlier port: never over an edit.

``.offcanvas/port.json`` keeps each file as it was emitted. A later run merges three ways, symbol by
symbol (``merge``): what was emitted, what the team has made of it, what is emitted now. A conflict
leaves everything as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from offcanvas.errors import UsageError
from offcanvas.files import require_place, write_whole
from offcanvas.port.merge import merge

KEPT: Final = Path(".offcanvas/port.json")


class Conflict(UsageError):  # noqa: N818 - the name of an error says what is wrong
    """What is emitted now and what has been edited do not go together; nothing was written."""


def kept(root: Path) -> dict[str, str]:
    """Each file as it was emitted last, by path.

    Raises:
        UsageError: the file that keeps them is damaged.
    """
    file = root / KEPT
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text())
        found.get("ports", {}).items()  # of ``ported``
        return {str(path): str(text) for path, text in found["files"].items()}
    except (ValueError, KeyError, AttributeError) as error:
        raise UsageError(f"{KEPT}: cannot be read ({error}); restore it, or remove it") from error


def merged(root: Path, files: Mapping[str, str], own: frozenset[str]) -> dict[str, str]:
    """The text that each file is to have: edits of the team's and what is emitted now.

    ``own`` are files of the project that were edited on the basis of what they are now.

    Raises:
        Conflict: a file was there before and is not from a port, or an edit is in the way.
        UsageError: what is there cannot be read as text.
    """
    base = kept(root)
    wanted: dict[str, str] = {}
    strange: list[str] = []
    clashes: list[str] = []
    for path, text in files.items():
        file = root / path
        if path in own or not file.exists():
            wanted[path] = text
            continue
        try:
            now = file.read_text()
        except (OSError, UnicodeError) as error:
            said = f"{path}: cannot be read ({error}); nothing is written. Restore it, or remove it"
            raise UsageError(said) from error
        if now in {text, base.get(path)}:
            wanted[path] = text
        elif path not in base:
            strange.append(path)
        else:
            made = merge(path, now, base[path], text)
            if made.text is None:
                names = ", ".join(one for one in made.clashes if one)
                clashes.append(f"{path}{f' ({names})' if names else ''}")
            else:
                wanted[path] = made.text
    if strange:
        raise Conflict(
            f"{', '.join(sorted(strange))}: is there already and is not from a port; "
            "nothing is written. Look at --diff, or choose another --out"
        )
    if clashes:
        raise Conflict(
            f"{', '.join(sorted(clashes))}: was edited where the port has changed; nothing is "
            "written. Look at --diff, and move the edit"
        )
    return wanted


def moved(root: Path, files: Mapping[str, str], own: frozenset[str]) -> list[str]:
    """Files that would be emitted differently from the last time."""
    base = kept(root)
    # PORT.md says in which lines the canvases stand: it moves with every edit of their file.
    emitted = {p: text for p, text in files.items() if p not in own and not p.endswith(".md")}
    return sorted(path for path, text in emitted.items() if base.get(path) != text)


def gone(root: Path, files: Mapping[str, str]) -> list[str]:
    """Files that were emitted and that are no longer there."""
    emitted = kept(root).keys() & files.keys()
    return sorted(path for path in emitted if not (root / path).exists())


def ported(root: Path) -> dict[str, list[str]]:
    """The targets of each port, by the package that was emitted."""
    file = root / KEPT
    if not file.exists():
        return {}
    kept(root)  # says what is wrong with a damaged file
    return {
        str(name): list(of) for name, of in json.loads(file.read_text()).get("ports", {}).items()
    }


def write(
    root: Path,
    wanted: Mapping[str, str],
    files: Mapping[str, str],
    package: str = "",
    targets: Sequence[str] = (),
) -> None:
    """Write the files, and what was emitted beside them, with the targets it is the port of.

    Raises:
        UsageError: one of them cannot be written; if a link is the reason, none is.
    """
    for path in (*wanted, str(KEPT)):
        require_place(root / path, path, root)
    for path, text in wanted.items():
        file = root / path
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text.encode(), path, within=root)
    keeper = root / KEPT
    keeper.parent.mkdir(exist_ok=True)
    told = {**kept(root), **files}
    ports = {**ported(root), **({package: sorted(targets)} if package else {})}
    data = (json.dumps({"files": told, "ports": ports}, indent=1, sort_keys=True) + "\n").encode()
    write_whole(keeper, data, str(KEPT), within=root)
