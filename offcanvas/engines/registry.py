"""Which engines there are: those of the kit, and those that other distributions bring.

A distribution brings an engine by an entry point in the group ``offcanvas.engines`` that leads to
an ``EngineSpec``::

    [project.entry-points."offcanvas.engines"]
    far = "far_engine.spec:SPEC"
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from offcanvas.engines.celery.spec import SPEC as CELERY
from offcanvas.engines.memory.spec import SPEC as MEMORY
from offcanvas.engines.prefect.spec import SPEC as PREFECT
from offcanvas.engines.spec import EngineSpec
from offcanvas.engines.temporal.spec import SPEC as TEMPORAL
from offcanvas.engines.versions import require_versions
from offcanvas.errors import BadEngine, MissingExtra, UnknownEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from offcanvas.engines.base import Engine
    from offcanvas.engines.support import Table

#: The group of entry points by which other distributions bring engines.
GROUP = "offcanvas.engines"
BUILT_IN = (MEMORY, CELERY, TEMPORAL, PREFECT)


@cache
def specs() -> Mapping[str, EngineSpec]:
    """All engines by name, the kit's own first; nothing of an engine is imported.

    Raises:
        BadEngine: an entry point leads to no ``EngineSpec``, or takes a name that is in use.
    """
    found = {one.name: one for one in BUILT_IN}
    for point in entry_points(group=GROUP):
        where = f"the entry point {point.name} = {point.value} of the group {GROUP}"
        try:
            brought = point.load()
        except (ImportError, AttributeError) as error:
            raise BadEngine(f"{where} does not import: {error}") from error
        if not isinstance(brought, EngineSpec):
            raise BadEngine(f"{where} leads to a {type(brought).__name__}, not to an EngineSpec")
        if brought.name in found:
            raise BadEngine(f"{where} takes the name {brought.name!r}, which is in use")
        found[brought.name] = brought
    return MappingProxyType(found)


def spec_of(name: str) -> EngineSpec:
    """The engine called ``name``.

    Raises:
        UnknownEngine: there is none; the message lists those that are.
    """
    try:
        return specs()[name]
    except KeyError:
        there_are = ", ".join(sorted(specs()))
        raise UnknownEngine(f"no engine is called {name!r}; there are: {there_are}") from None


def engine(name: str) -> Engine:
    """The engine called ``name``, ready to use.

    Raises:
        UnknownEngine: there is none; the message lists those that are.
        MissingExtra: its library is not installed; the message says what to install.
        EngineUnavailable: its library is of a version that the kit does not work with.
    """
    spec = spec_of(name)
    made: Engine = load(spec, spec.engine)()
    return made


def load(spec: EngineSpec, path: str) -> Any:
    """What stands at ``path`` (``module:attribute``), a part of the engine ``spec``.

    Raises:
        MissingExtra: a library of the engine is not installed.
        EngineUnavailable: it is of a version that the kit does not work with.
    """
    if spec.extra:
        require_versions(spec.name, spec.extra)
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("offcanvas"):
            raise
        raise MissingExtra(
            f"the engine {spec.name} needs {error.name}: pip install {spec.install}"
        ) from error


def table_of(spec: EngineSpec) -> Table:
    """The engine's support table, which needs none of the engine's libraries."""
    module, _, attribute = spec.support.partition(":")
    table: Table = getattr(import_module(module), attribute)
    return table


def addresses() -> tuple[str, ...]:
    """Environment variables by which users name a server of any engine."""
    return tuple(name for spec in specs().values() for name in spec.addresses)
