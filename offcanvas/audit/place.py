"""A canvas by its place in the source, for `offcanvas show tasks.py:14`: nothing is imported."""

import re
from pathlib import Path
from typing import Final

from offcanvas.audit.inventory import Drawn
from offcanvas.audit.scan import scan
from offcanvas.errors import UsageError
from offcanvas.files import cache_folder

_PLACE: Final = re.compile(r"(.+\.py):(\d+)")


def is_place(target: str) -> bool:
    """Whether a target is "file.py:line"."""
    return _PLACE.fullmatch(target) is not None


def outline_at(target: str) -> Drawn:
    """The outermost canvas that is written at "file.py:line", or ends on that line.

    Names are resolved through the working folder, or the file's own when it lies elsewhere.
    Raises UsageError when there is no such file, or no canvas at that line.
    """
    found = _PLACE.fullmatch(target)
    if found is None:
        raise UsageError(f"{target!r} is not a place; write file.py:line")
    file, line = Path(found[1]), int(found[2])
    if not file.is_file():
        raise UsageError(f"{file} is not a file")
    here = Path().resolve()
    root = here if file.resolve().is_relative_to(here) else file.resolve().parent
    path = file.resolve().relative_to(root).as_posix()
    answer = scan(root, [], tests=True, cache_folder=cache_folder())
    unread = dict(answer.unreadable)
    if path in unread:
        raise UsageError(f"{file} cannot be read: {unread[path]}")
    places = [place for place in answer.canvases if place.path == path]
    for place in places:
        if place.line == line or any(part.line == line for part in place.canvas.walk()):
            return place.canvas
    known = ", ".join(str(place.line) for place in places)
    raise UsageError(
        f"no canvas is written at {file}:{line}; "
        + (f"there are some at {known}" if known else "there is none in this file")
    )
