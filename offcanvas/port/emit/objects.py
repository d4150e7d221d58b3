"""objects.py: what JSON does not carry goes pickled, as Celery sent it."""

from __future__ import annotations

from typing import Final

OBJECTS: Final = '''"""What JSON does not carry goes from step to step pickled, as Celery sent it.

DECIDE(PORT141): a pickle needs its class as long as a run lasts, and runs code when it is read.
Hand in ids or dataclasses in place of objects, and this module can go.
"""

import pickle
from base64 import b64decode, b64encode
from dataclasses import fields, is_dataclass, replace
from math import isfinite
from typing import Any

MARK = "pickled"


def packed(value: Any) -> Any:
    """As it is where JSON gives it back as it was, else pickled."""
    kind = type(value)
    if value is None or kind in {bool, int, str} or (kind is float and isfinite(value)):
        return value
    if kind is list:
        return [packed(one) for one in value]
    if kind is dict and MARK not in value and all(type(key) is str for key in value):
        return {key: packed(one) for key, one in value.items()}
    if is_dataclass(kind) and kind.__module__.startswith(f"{__package__}."):
        return replace(value, **{f.name: packed(getattr(value, f.name)) for f in fields(kind)})
    return {MARK: b64encode(pickle.dumps(value)).decode()}


def unpacked(value: Any) -> Any:
    """What was packed."""
    if isinstance(value, list):
        return [unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {MARK}:
        return pickle.loads(b64decode(value[MARK]))  # noqa: S301 - as Celery did
    return {key: unpacked(one) for key, one in value.items()}
'''
