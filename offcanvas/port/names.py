"""Names that people would choose: of classes, rows, variables."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable


def camel(name: str) -> str:
    """``import_feed`` -> ``ImportFeed``; capital letters inside stay."""
    parts = (part for part in re.split(r"[^0-9A-Za-z]+", name) if part)
    made = "".join(part[:1].upper() + part[1:] for part in parts)
    return made if made[:1].isalpha() else f"Task{made}"


def snake(name: str) -> str:
    """``ImportFeed`` -> ``import_feed``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"[^0-9A-Za-z]+", "_", name))
    return identifier(spaced.strip("_").lower())


def upper(name: str) -> str:
    """``importFeed`` -> ``IMPORT_FEED``."""
    return snake(name).upper()


def identifier(name: str) -> str:
    """The name, or one like it that Python takes."""
    made = re.sub(r"\W", "_", name) or "value"
    if made[0].isdigit():
        made = f"n{made}"
    return f"{made}_" if keyword.iskeyword(made) else made


def unused(name: str, taken: Iterable[str]) -> str:
    """``name``, or ``name_2``, ``name_3`` ... if it is taken."""
    known = frozenset(taken)
    made, number = name, 2
    while made in known:
        made, number = f"{name}_{number}", number + 1
    return made


def singular(name: str) -> str:
    """``orders`` -> ``order``: a variable for one of them."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("s", "")):
        if name.endswith(ending) and len(name) > len(ending) + 1 and not name.endswith("ss"):
            return name.removesuffix(ending) + instead
    return f"one_{name}"


def plural(name: str) -> str:
    """``order`` -> ``orders``; good enough for a variable."""
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"
