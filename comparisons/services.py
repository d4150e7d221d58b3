"""Which services a comparison starts itself, and which ones the settings name."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from offcanvas import servers
from shared.errors import UsageError
from shared.settings import Settings, masked

ANSWERS_WITHIN = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Service:
    """An engine's service: its embedded form, and the settings that name a real one."""

    engine: str
    start: Callable[[], servers.Server]
    fields: tuple[str, ...]


SERVICES = (
    Service("celery", servers.redis, ("celery_broker_url", "celery_result_backend")),
    Service("prefect", servers.prefect, ("prefect_api_url",)),
    Service("temporal", servers.temporal, ("temporal_address",)),
)


def embedded(settings: Settings, engines: Sequence[str]) -> list[Service]:
    """The services that have to be started, because the settings do not name real ones.

    Raises:
        UsageError: only one of Celery's two addresses is set.
    """
    missing = []
    for service in SERVICES:
        if service.engine not in engines:
            continue
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


def check_named(settings: Settings, engines: Sequence[str]) -> None:
    """See that every service named by the settings answers.

    Raises:
        UsageError: one does not, or its address cannot be read.
    """
    for service in SERVICES:
        if service.engine not in engines:
            continue
        for name in service.fields:
            address = getattr(settings, name)
            if address is not None:
                for part in str(address).split(";"):
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
        raise UsageError(f"{name}={masked(address)!r} is no address: host and port are missing")
    socket.create_connection((parts.hostname, port), timeout=ANSWERS_WITHIN).close()


@contextmanager
def started(wanted: Sequence[Service]) -> Iterator[dict[str, servers.Server]]:
    """Start embedded servers together; they are stopped, and their data removed, at the end."""
    with ExitStack() as stack:
        running = stack.enter_context(
            servers.start_together(*(service.start for service in wanted))
        )
        yield {service.engine: server for service, server in zip(wanted, running, strict=True)}


def described(
    settings: Settings, engines: Sequence[str], running: Mapping[str, servers.Server]
) -> dict[str, str]:
    """What each engine and the database ran on, without addresses."""
    found = {}
    for service in SERVICES:
        if service.engine in running:
            found[service.engine] = f"{running[service.engine].name}, started for this comparison"
        elif service.engine in engines:
            names = " and ".join(name.upper() for name in service.fields)
            found[service.engine] = f"the service named by {names}, not measured"
    if "celery" in engines:
        found["celery"] += f"; {settings.celery_profile} profile"
    database = settings.database_url or ""
    found["database"] = "PostgreSQL" if database.startswith("postgres") else "SQLite"
    return found
