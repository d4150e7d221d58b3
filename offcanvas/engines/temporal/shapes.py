"""What activities have to be given, as far as they read it: anybody may start one by hand.

What is missing, or of another kind, is told by its place and never tried again. What is there
besides is not looked at: a newer worker may have sent it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = Callable[[Any, str], str | None]
"""What is wrong with a value at a place, in words; None if nothing is."""


def _kind(name: str, *types: type) -> Shape:
    def check(value: Any, place: str) -> str | None:
        # bool is an int, and nobody means it by a number.
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return None if fits else f"{place} has to be {name}"

    return check


TEXT = _kind("a text", str)
NUMBER = _kind("a number", int, float)
WHOLE = _kind("a whole number", int)
FLAG = _kind("true or false", bool)
LIST = _kind("a list", list)
OBJECT = _kind("an object", dict)


def _maybe(shape: Shape) -> Shape:
    return lambda value, place: None if value is None else shape(value, place)


def _list_of(shape: Shape) -> Shape:
    def check(value: Any, place: str) -> str | None:
        wrong = LIST(value, place)
        if wrong is not None:
            return wrong
        told = (shape(one, f"{place}[{number}]") for number, one in enumerate(value))
        return next((one for one in told if one is not None), None)

    return check


def _entry(value: Any, place: str) -> str | None:
    try:
        uuid.UUID(value)
    except (AttributeError, TypeError, ValueError):
        return f"{place} has to be a UUID"
    return None


def _object(needs: Mapping[str, Shape], may_have: Mapping[str, Shape] | None = None) -> Shape:
    def check(value: Any, place: str) -> str | None:
        wrong = OBJECT(value, place)
        if wrong is not None:
            return wrong
        inside = f"{place}." if place else ""
        for name, shape in needs.items():
            if name not in value:
                return f"{inside}{name} is missing"
            wrong = wrong or shape(value[name], f"{inside}{name}")
        for name, shape in (may_have or {}).items():
            if name in value:
                wrong = wrong or shape(value[name], f"{inside}{name}")
        return wrong

    return check


def _paired(shape: Shape) -> Shape:
    def check(value: Any, place: str) -> str | None:
        wrong = shape(value, place)
        if wrong is None and len(value["calls"]) != len(value["entries"]):
            return "calls and entries are not of one length"
        return wrong

    return check


_SIGNATURE = _object({"task": TEXT, "args": LIST, "kwargs": OBJECT, "options": OBJECT})
_NO_ID, _SIGNATURES = _maybe(TEXT), _list_of(_SIGNATURE)
#: ``calls.TaskCall``.
CALL = _object(
    {"signature": _SIGNATURE, "task_id": TEXT, "root_id": TEXT},
    {
        **dict.fromkeys(("parent_id", "group_id", "eta", "expires_at"), _NO_ID),
        **dict.fromkeys(("retries", "far", "deliveries", "given"), WHOLE),
        **dict.fromkeys(("in_chord", "redelivered"), FLAG),
        **dict.fromkeys(("then", "near"), _SIGNATURES),
        "group_index": _maybe(WHOLE),
        "headers": _maybe(OBJECT),
    },
)
_ERROR = _object({"exc_type": TEXT}, {"exc_module": _maybe(TEXT)})
_RUN: Mapping[str, Shape] = {"strict": FLAG}
_ATTEMPT: Mapping[str, Shape] = {
    "entry": _maybe(_entry),
    "since": NUMBER,
    "most": _maybe(WHOLE),
}

TASK = _object({"call": CALL, **_RUN}, _ATTEMPT)
_MEMBERS: Mapping[str, Shape] = {"calls": _list_of(CALL), "entries": _list_of(_entry), **_RUN}
LOST = _object({"call": CALL, "why": TEXT, **_RUN}, _ATTEMPT)
BATCH = _paired(_object(_MEMBERS))
LOST_BATCH = _paired(_object({**_MEMBERS, "ended": WHOLE, "why": TEXT}))
REVOKED = _object({"call": CALL, **_RUN}, _ATTEMPT)
CHORD = _object(
    {
        "failure": _object({"body": _SIGNATURE, "error": _ERROR}, {"culprit": _NO_ID}),
        **_RUN,
    }
)
FAILURES = _object({"task_ids": _list_of(TEXT), "error": _ERROR}, {"culprit": _NO_ID})
KEPT = _object({"text": TEXT, "place": TEXT})
LOADED = _object({"place": TEXT})
_SETTINGS = _object({"strict": FLAG, "late": LIST, "queues": LIST, "slice": WHOLE})
#: ``lone``: a job with one branch, and the settings of a workflow.
JOB = _object({"settings": _SETTINGS}, {"branches": _list_of(OBJECT), "nodes": LIST})
ALONE = _object({"since": NUMBER, "entry": _entry, "task_queue": TEXT})
