"""Remember what was read: facts by content, and whole answers by the content of all files.

The cache lies in the user's own cache folder, never in the audited one: it is a pickle, and a
pickle that comes with foreign code could run code.
"""

import contextlib
import hashlib
import pickle
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from offcanvas.audit import facts
from offcanvas.audit.syntax import UnreadableError, read_source
from offcanvas.errors import UsageError
from offcanvas.files import is_ours, write_whole

_SIZE: Final = 16
"""Bytes of a digest."""
T = TypeVar("T")


def digest(data: bytes) -> bytes:
    """A short digest of a file's content."""
    return hashlib.blake2b(data, digest_size=_SIZE).digest()


def read_as(path: Path, known: bytes | None) -> bytes:
    """The bytes of a file that was read before, if they are those of this digest.

    Raises UnreadableError: what was found in the file is not what is there now.
    """
    source = read_source(path)
    if known is not None and digest(source) != known:
        raise UnreadableError("it has changed since it was read; run once more")
    return source


@cache
def tool_digest() -> bytes:
    """A digest of the auditor itself and of the Python that runs it: a new one forgets all."""
    whole = hashlib.blake2b(digest_size=_SIZE)
    # Paths of another locale do not name the files of this one.
    whole.update(f"{facts.VERSION} {sys.version_info} {sys.getfilesystemencoding()}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        whole.update(path.read_bytes())
    return whole.digest()


def project_digest(files: Mapping[str, bytes], rules: Iterable[str]) -> bytes:
    """A digest of all paths with their digests, of the chosen rules and of the tool."""
    whole = hashlib.blake2b(tool_digest(), digest_size=_SIZE)
    whole.update(" ".join(rules).encode())
    for path, content in sorted(files.items()):
        whole.update(path.encode("utf-8", "surrogateescape") + b"\0" + content)
    return whole.digest()


class Cache:
    """Two files for each audited folder: its facts, and its last answers."""

    def __init__(self, root: Path, folder: Path | None) -> None:
        """With a folder of None nothing is remembered."""
        name = hashlib.blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()
        self._facts = folder / f"{name}.facts" if folder is not None else None
        self._answer = folder / f"{name}.answer" if folder is not None else None

    def known_facts(self) -> dict[bytes, facts.ModuleFacts]:
        """Facts by content digest; empty when there are none of this tool."""
        found = _load(self._facts, tool_digest())
        return found if isinstance(found, dict) else {}

    def keep_facts(self, by_digest: Mapping[bytes, facts.ModuleFacts]) -> None:
        """Remember the facts of the files of now."""
        _store(self._facts, tool_digest(), dict(by_digest))

    def answer(self, key: bytes) -> object:
        """What was kept for this key, or None."""
        return _load(self._answer, key)

    def keep_answer(self, key: bytes, answer: object) -> None:
        """Remember one answer; an earlier one is forgotten."""
        _store(self._answer, key, answer)


def _load(path: Path | None, key: bytes) -> object:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            if not is_ours(file.fileno()) or file.read(_SIZE) != key:
                return None
            return pickle.load(file)  # noqa: S301  (the user's own cache folder, see the docstring)
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError):
        return None  # a cache that cannot be read is not a cache


def _store(path: Path | None, key: bytes, value: object) -> None:
    if path is None:
        return
    # A cache that cannot be written costs time at the next run, nothing else.
    with contextlib.suppress(OSError, UsageError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, key + pickle.dumps(value, pickle.HIGHEST_PROTOCOL), "the cache")
