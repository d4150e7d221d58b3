"""What the kit has to know of an engine before it imports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One engine. Everything it consists of is named as ``module:attribute`` and imported late.

    Attributes:
        name: what users write: ``--on NAME``, ``run(..., on=NAME)``, ``reroute(..., to=NAME)``.
        title: what reports and tables call it.
        engine: the ``Engine``, called without arguments.
        support: its support table; the module must import without the engine's own library.
        install: what ``pip install`` needs for it; named in the error when a library is missing.
        extra: the extra of offcanvas whose version limits are checked; empty for none.
        target: the ``Target`` of ``reroute``, called with the app and ``strict``; empty for none.
        target_options: names of further keyword arguments of ``reroute`` that the target takes.
        addresses: environment variables by which users name a server; a check, whose servers are
            its own, runs without them.
    """

    name: str
    title: str
    engine: str
    support: str
    install: str
    extra: str = ""
    target: str = ""
    target_options: frozenset[str] = frozenset()
    addresses: tuple[str, ...] = ()
