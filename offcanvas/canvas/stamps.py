"""Tasks named by the headers they are stamped with, for ``revoke_by_stamped_headers``.

A task has its id for a name, and one for each value of each of its stamps; whoever looks whether a
task is revoked looks for any of them. So a revoke by headers goes the way of a revoke by ids.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offcanvas.canvas.calls import TaskCall

#: No id of a task begins so.
_MARK = "stamped\n"


def ids_of(headers: Mapping[str, Any] | Iterable[str]) -> list[str]:
    """A name for each header and value: ``{"batch": ["a", "b"]}``, or ``["batch=a"]``."""
    if not isinstance(headers, Mapping):
        given = [headers] if isinstance(headers, str) else headers
        headers = dict(one.split("=", 1) for one in given)
    return [_id(name, one) for name, value in headers.items() for one in _values(value)]


def names_of(call: TaskCall) -> list[str]:
    """The names by which a task may be revoked."""
    options = call.signature["options"]
    stamped = options.get("stamped_headers") or ()
    stamps = [_id(name, one) for name in stamped for one in _values(options.get(name))]
    return [call.task_id, *stamps]


def only_stamped(call: TaskCall, revoked: Container[str]) -> bool:
    """Of a task that is revoked: whether it is by its stamps alone, and not by its id."""
    return call.task_id not in revoked


def _values(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _id(header: str, value: Any) -> str:
    return f"{_MARK}{header}\n{json.dumps(value, default=str, sort_keys=True)}"
