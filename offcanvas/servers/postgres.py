"""A private PostgreSQL cluster."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

from offcanvas.servers.base import Server, ServerError, free_port, private_folder

_REMEDY = "install PostgreSQL 13 or newer (apt install postgresql, brew install postgresql@17)"
_PACKAGED = Path("/usr/lib/postgresql")
_USER, _DATABASE = "voter_rolls", "postgres"


def postgres() -> Server:
    """Make a cluster with `initdb` and start it; `url` is SQLAlchemy's, with psycopg 3.

    It listens on the loopback interface alone and trusts whoever comes from there. Every setting
    that decides what survives a crash is PostgreSQL's default. The server refuses to be run by
    root: for root it is run as the user postgres, or nobody.

    Raises:
        ServerError: PostgreSQL is not installed, or initdb failed.
    """
    binaries = programs()
    user = _unprivileged()
    folder = private_folder("postgres", open_to_others=user is not None)
    port = free_port()
    data = folder / "data"
    try:
        if user is not None:
            # The log stays ours; the server writes to it through the descriptor it is given.
            shutil.chown(folder, user)
        _initdb(binaries / "initdb", data, user)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    command = [
        str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder),
        "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200",
        # A small share: this cluster is one of several servers on the machine.
        "-c", "shared_buffers=32MB",
    ]  # fmt: skip
    url = f"postgresql+psycopg://{_USER}@127.0.0.1:{port}/{_DATABASE}"
    return Server(
        name="postgres",
        url=url,
        command=command,
        folder=folder,
        answers=lambda: _accepts(port),
        environment={"DATABASE_URL": url},
        # SIGTERM waits for every client to go away by itself; this is the "fast" shutdown.
        stop_signal=signal.SIGINT,
        user=user,
        ports=[port],
    )


def programs() -> Path:
    """The folder of `initdb` and `postgres`; Debian keeps them out of PATH, by version.

    Raises:
        ServerError: PostgreSQL is not installed.
    """
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    packaged = sorted(
        _PACKAGED.glob("*/bin/initdb"), key=lambda path: _version(path.parent.parent.name)
    )
    if not packaged:
        raise ServerError(f"no initdb on PATH nor in {_PACKAGED}: {_REMEDY}")
    return packaged[-1].parent


def _version(folder: str) -> float:
    try:
        return float(folder)
    except ValueError:
        return 0.0


def _unprivileged() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd  # not on Windows

    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ServerError(
        "PostgreSQL refuses to be run by root, and there is neither a user postgres nor nobody: "
        "run this as another user"
    )


def _initdb(program: Path, data: Path, user: str | None) -> None:
    """Make the cluster. English messages and C order, whatever the machine's locale is."""
    done = subprocess.run(
        [
            str(program), "--pgdata", str(data), "--username", _USER, "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C", "--no-sync",
        ],
        cwd=data.parent,
        env={**os.environ, "LC_ALL": "C"},
        user=user,
        group=None if user is None else _group_of(user),
        extra_groups=None if user is None else [],
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise ServerError(f"initdb ended with status {done.returncode}:\n{done.stderr.strip()}")


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _accepts(port: int) -> bool:
    """Whether it lets a client in: a server that starts up or recovers answers with an error.

    The start-up message (protocol 3.0) is answered by R for authentication, here by trust.
    https://www.postgresql.org/docs/current/protocol-flow.html
    """
    words = b"user\x00%s\x00database\x00%s\x00\x00" % (_USER.encode(), _DATABASE.encode())
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.settimeout(2)
            client.sendall(struct.pack("!ii", 8 + len(words), 3 << 16) + words)
            return client.recv(1) == b"R"
    except OSError:
        return False
