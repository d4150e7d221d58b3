"""Write a roll as a PDF file: whole or not at all, and the same bytes each time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, BinaryIO

from shared.rolls.compose import compose
from shared.rolls.document import render
from shared.rolls.errors import UnprintableText, on_one_line
from shared.rolls.fontfile import load_fonts
from shared.rolls.roll import WrittenRoll, page_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shared.rolls.roll import Roll


def write_roll(roll: Roll, path: Path, *, fonts: Sequence[Path] = ()) -> WrittenRoll:
    """Write ``roll`` to ``path``, replacing a file of that name in one step.

    ``fonts`` are TrueType files tried, in order, for what the built-in font does not have. The
    folder of ``path`` is created. The bytes depend on the roll and the fonts alone.

    Raises UnprintableText for a roll without entries and for blank or endless texts, MissingGlyph
    when no font has a character, BadFont for an unusable font file, and OSError when the file
    cannot be written. After an error there is no new file, and an old one is as it was.
    """
    if not roll.entries:
        raise UnprintableText(
            f"station {on_one_line(roll.station_id)} of center {on_one_line(roll.center_id)} "
            "has no voters; a roll needs at least one"
        )
    usable = load_fonts(fonts)
    content = render(compose(roll, usable), usable)
    _replace(path, content)
    return WrittenRoll(path, page_count(len(roll.entries)), hashlib.sha256(content).hexdigest())


def _replace(path: Path, content: bytes) -> None:
    """Let the file appear by a rename, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _draft(path) as (draft, file):
        file.write(content)
        file.flush()
        draft.replace(path)


@contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """An empty file beside ``path`` that nobody else writes; after an error it is gone.

    Its name comes from that of ``path``, and it is locked while it is written. A lock ends with its
    process: what a killed writer has left is taken over by whoever prints this roll again.
    """
    for number in count():
        draft = path.with_name(f".{path.name}.{number}.tmp")
        # Not the tempfile module: its files are private to the user, and rolls follow the umask.
        try:
            opened = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                continue  # somebody has put a link there, to have written what it leads to
            raise
        with os.fdopen(opened, "ab") as file:
            if not (_locked(file) and _is_still(draft, file)):
                continue
            file.truncate(0)
            try:
                yield draft, file
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            return


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, file: BinaryIO) -> bool:
    """Whether the file has this name, and no other.

    A writer that has just ended may have renamed it; and a second name may be somebody's file.
    """
    try:
        here = os.fstat(file.fileno())
        return here.st_nlink == 1 and os.path.samestat(path.stat(), here)
    except FileNotFoundError:
        return False
