"""The rules of a file, as they are now: read again whenever the file has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from offcanvas.cutover.rules import Rules, parse
from offcanvas.errors import UsageError

log = logging.getLogger(__name__)


class LiveRules:
    """The rules in a file; one ``stat`` each time they are asked for.

    ``check`` is called with new rules and raises what is wrong with them. A file that has become
    unusable under way changes nothing: the rules before it stay, and the log says why once. A slip
    of the pen would otherwise stop every process that sends.

    Raises:
        UsageError: the file cannot be used at the beginning.
    """

    def __init__(self, path: Path, check: Callable[[Rules], None] = lambda _rules: None) -> None:
        self.path = path
        self._check = check
        self._seen = self._stamp()
        self._rules = self._read()

    @property
    def now(self) -> Rules:
        """The rules."""
        try:
            stamp = self._stamp()
        except UsageError:
            stamp = None
        if stamp != self._seen:
            self._seen = stamp
            self._read_again()
        return self._rules

    def _read_again(self) -> None:
        try:
            self._rules = self._read()
            log.info("%s: read again, version %s", self.path, self._rules.version)
        except UsageError as error:
            log.error("%s; the rules before it stay (version %s)", error, self._rules.version)  # noqa: TRY400  # for people: the line says it all

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)  # noqa: PTH116  # half the time of Path.stat, for each call
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read: {error.strerror}") from None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> Rules:
        rules = read_rules(self.path)
        self._check(rules)
        return rules


def read_rules(path: Path) -> Rules:
    """The rules in a file.

    Raises:
        UsageError: it cannot be read or used.
    """
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """What a rule file says.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: cannot be read: {reason}") from None
