"""Whether the libraries of an engine have the versions that the kit was tested with."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from offcanvas.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = re.compile(r"(>=|<)\s*([\d.]+)")


@cache
def require_versions(engine: str, extra: str) -> None:
    """Compare what is installed with what the extra asks for; what is missing is not looked at.

    Raises:
        EngineUnavailable: a library is too old or too new.
    """
    for name, limits in _asked_for(extra):
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        if not _fits(installed, limits):
            raise EngineUnavailable(
                f"the engine {engine} needs {name}{limits}, and {installed} is installed: "
                f"pip install 'offcanvas[{extra}]'"
            )


def _asked_for(extra: str) -> Iterator[tuple[str, str]]:
    try:
        lines = requires("offcanvas") or []
    except PackageNotFoundError:  # run from a checkout that was never installed
        return
    for line in lines:
        requirement, _, marker = line.partition(";")
        if marker.strip() in {f"extra == '{extra}'", f'extra == "{extra}"'}:
            found = re.match(r"([\w.-]+)(?:\[[^]]*\])?(.*)", requirement.strip())
            if found:
                yield found[1], found[2].strip()


def _fits(installed: str, limits: str) -> bool:
    have = _numbers(installed)
    for word, limit in _LIMIT.findall(limits):
        asked = _numbers(limit)
        if (word == ">=" and have < asked) or (word == "<" and have[: len(asked)] >= asked):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    release = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in release[0].split(".")) if release else ()
