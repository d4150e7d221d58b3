"""Which services a comparison starts itself, and which ones the settings name."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import unquote, urlsplit

from comparisons.engines import ENGINES, Engine
from offcanvas import servers
from shared.errors import UsageError
from shared.settings import Settings, masked

ANSWERS_WITHIN = 5.0  # seconds


def embedded(settings: Settings, engines: Sequence[str]) -> list[Engine]:
    """The engines whose server has to be started, because the settings do not name a real one.

    Raises:
        UsageError: only one of an engine's two addresses is set, or the engine is not installed.
    """
    missing = []
    for service in _chosen(engines):
        service.check()
        unset = [name for name in service.fields if getattr(settings, name) is None]
        if unset and len(unset) < len(service.fields):
            others = [name.upper() for name in service.fields if name not in unset]
            raise UsageError(
                f"{others[0]} is set and {unset[0].upper()} is not: set both, or neither for the "
                "embedded server"
            )
        if unset:
            missing.append(service)
    return missing


def _chosen(engines: Sequence[str]) -> list[Engine]:
    return [engine for engine in ENGINES.values() if engine.name in engines]


def check_named(settings: Settings, engines: Sequence[str]) -> None:
    """See that every service named by the settings answers.

    Raises:
        UsageError: one does not, or its address cannot be read.
    """
    for service in _chosen(engines):
        for name in service.fields:
            address = getattr(settings, name)
            if isinstance(address, str):
                for part in address.split(";"):
                    _knock(name.upper(), part)


def _knock(name: str, address: str) -> None:
    try:
        _connect(name, address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"{name}={masked(address)} does not answer ({reason}): start the service, "
            f"correct the address, or unset {name} for the embedded server"
        ) from None


_PORTS = {"amqp": 5672, "amqps": 5671, "pyamqp": 5672, "redis": 6379, "rediss": 6379,
          "http": 80, "https": 443, "postgresql": 5432}  # fmt: skip


def _connect(name: str, address: str) -> None:
    parts = urlsplit(address if "://" in address else f"//{address}")
    scheme = parts.scheme.removeprefix("db+").partition("+")[0]
    if parts.scheme in {"redis+socket", "unix"}:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWERS_WITHIN)
            client.connect(unquote(parts.path))
        return
    try:
        port = parts.port or _PORTS.get(scheme)
    except ValueError:
        port = None
    if parts.hostname is None or port is None:
        raise UsageError(f"{name}={masked(address)!r} is not an address: host and port are missing")
    socket.create_connection((parts.hostname, port), timeout=ANSWERS_WITHIN).close()


@contextmanager
def started(wanted: Sequence[Engine]) -> Iterator[dict[str, servers.Server]]:
    """Start embedded servers together; they are stopped, and their data removed, at the end."""
    with ExitStack() as stack:
        running = stack.enter_context(
            servers.start_together(*(service.start for service in wanted))
        )
        yield {service.name: server for service, server in zip(wanted, running, strict=True)}


def described(
    settings: Settings, engines: Sequence[str], running: Mapping[str, servers.Server]
) -> dict[str, str]:
    """What each engine and the database ran on, without addresses."""
    found = {}
    for service in _chosen(engines):
        if service.name in running:
            server = running[service.name]
            names = " on ".join([server.name, *(below.name for below in server.stands_on)])
            found[service.name] = f"{names}, started for this comparison"
        else:
            names = " and ".join(name.upper() for name in service.fields)
            found[service.name] = f"the service named by {names}, not measured"
    if "celery" in engines:
        found["celery"] += f"; {settings.celery_profile} profile"
    database = settings.database_url or ""
    found["database"] = "PostgreSQL" if database.startswith("postgres") else "SQLite"
    return found
