"""Whether the libraries of an engine have the versions that the kit was tested with."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from offcanvas.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def require_versions(engine: str, extra: str) -> None:
    """Compare what is installed with what the extra asks for; what is missing is not looked at.

    Raises:
        EngineUnavailable: a library is too old or too new.
    """
    for asked in _asked_for(extra):
        try:
            installed = version(asked.name)
        except PackageNotFoundError:
            continue
        if not asked.specifier.contains(installed, prereleases=True):
            raise EngineUnavailable(
                f"the engine {engine} needs {asked.name}{asked.specifier}, and {installed} is "
                f"installed: pip install 'offcanvas[{extra}]'"
            )


def _asked_for(extra: str) -> Iterator[Requirement]:
    try:
        lines = requires("offcanvas") or []
    except PackageNotFoundError:  # run from a checkout that was never installed
        return
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            yield requirement
