"""Copies of signatures: Celery changes a canvas when it runs it, ids first of all."""

from __future__ import annotations

from typing import Any

from celery.canvas import Signature
from celery.utils.functional import regen

#: What chord and group make of a generator: a list that is read when it is needed.
_Regen: Any = type(regen(iter(())))


def fresh(part: Any) -> Any:
    """A copy of a signature and of all that is in it; values of other types are shared.

    ``copy.deepcopy`` makes plain dictionaries of signatures, which Celery treats otherwise in
    places, and ``clone()`` leaves members of groups as they are.
    """
    if isinstance(part, dict):
        copied: Any = dict.__new__(type(part))
        dict.update(copied, {key: fresh(inner) for key, inner in part.items()})
        if isinstance(part, Signature):
            copied.__dict__.update(part.__dict__)
        return copied
    if isinstance(part, _Regen):
        return regen(iter([fresh(inner) for inner in part]))
    if type(part) in (list, tuple):
        return type(part)(fresh(inner) for inner in part)
    return part
