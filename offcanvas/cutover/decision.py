"""Which way an order of work goes: the same key goes the same way, and more per cent only adds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from offcanvas.cutover.rules import Rule

#: Where work goes that is not moved.
CELERY = "celery"
#: A key falls into one of these; a hundredth of a per cent each.
_PARTS = 10_000
_IDS = UUID("0f6c1c2e-5d0b-4c55-9a3b-6d2a4f3b8e11")


def engine_for(rule: Rule, salt: str, given: Mapping[str, Any], task_id: str) -> str:
    """The engine for one order: a function of the rule, the key and nothing else."""
    tenant = rule.tenant or rule.key
    if tenant is not None:
        name = as_text(given.get(tenant))
        if name in rule.on:
            return rule.to
        if name in rule.off:
            return CELERY
    if rule.percent <= 0:
        return CELERY
    if rule.percent >= 100:
        return rule.to
    key = task_id if rule.key is None else as_text(given.get(rule.key))
    return rule.to if place_of(salt, rule.root, key) < round(100 * rule.percent) else CELERY


def place_of(salt: str, root: str, key: str) -> int:
    """Where a key falls, 0 to 9,999."""
    digest = sha256("\0".join((salt, root, key)).encode()).digest()
    return int.from_bytes(digest[:8]) % _PARTS


def id_of(rule: Rule, given: Mapping[str, Any]) -> str | None:
    """The task id that the rule makes of arguments; None if it names no parameters for one."""
    if not rule.id:
        return None
    values = [as_text(given.get(name)) for name in rule.id]
    return str(uuid5(_IDS, json.dumps([rule.root, *values])))


def inner_id(task_id: str, place: str) -> str:
    """The id of a task inside the canvas with this id: the same in every attempt to send it."""
    return str(uuid5(_IDS, f"{task_id} {place}"))


def as_text(value: Any) -> str:
    """A value of a key; numbers and texts as they are, so that 7 and "7" are one key."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, default=str)
