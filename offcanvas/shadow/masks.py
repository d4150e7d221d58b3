"""Values that must not be written down: replaced by a hash, so that equal ones stay equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any

from kombu.utils import json

_BEGINS = "masked:"


class Masks:
    """``task.parameter`` and ``task:result``; the task's name without its module will do."""

    def __init__(self, names: Collection[str] = (), salt: str = "") -> None:
        self.names = frozenset(names)
        self._salt = salt.encode()[:16]

    def arguments(self, task: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments by name, masked."""
        if not self.names:
            return given
        short = task.rpartition(".")[2]
        return {
            name: self._masked(value)
            if f"{task}.{name}" in self.names or f"{short}.{name}" in self.names
            else value
            for name, value in given.items()
        }

    def result(self, task: str, value: Any) -> Any:
        """The result, masked."""
        short = task.rpartition(".")[2]
        hidden = f"{task}:result" in self.names or f"{short}:result" in self.names
        return self._masked(value) if hidden else value

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_BEGINS):
            return value  # the result of a step that was masked
        text = json.dumps(value).encode()
        return _BEGINS + blake2b(text, digest_size=12, key=self._salt).hexdigest()


def is_masked(value: Any) -> bool:
    """Whether the value is a hash in place of one."""
    return isinstance(value, str) and value.startswith(_BEGINS)
