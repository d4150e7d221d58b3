"""A private RabbitMQ node, with a name daemon of its own."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from offcanvas.servers.base import Server, ServerError, found, free_ports, private_folder

_PACKAGED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_REMEDY = "install RabbitMQ 3.10 or newer (apt install rabbitmq-server, brew install rabbitmq)"


def rabbitmq() -> Server:
    """Start a node on a spare port; `url` is that of its user guest and its virtual host `/`.

    Nothing of the machine's own node is read or written: name, ports, data, logs, settings,
    plugins (none), the cookie in HOME, and epmd, the daemon in which Erlang nodes register. epmd
    is started here rather than by the node, which would leave it behind as a daemon. Queues and
    messages survive `kill` and `restart` as far as RabbitMQ has written them.

    Raises:
        ServerError: RabbitMQ or Erlang is not installed.
    """
    node, epmd = programs()
    folder = private_folder("rabbit")
    port, dist_port, epmd_port = free_ports(3)
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        # The default refuses messages when less than 50 MB of the disk are free.
        "disk_free_limit.absolute = 10MB\n"
    )
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "advanced.config").write_text(
        # Between nodes, of which there is one, and for nobody else on the network.
        "[{kernel, [{inet_dist_use_interface, {127, 0, 0, 1}}]}].\n"
    )
    return Server(
        name="rabbitmq",
        url=f"amqp://guest:guest@127.0.0.1:{port}//",
        command=[node],
        folder=folder,
        answers=lambda: _greets(port),
        environment={"CELERY_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port}//"},
        server_environment={
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"offcanvas-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
            "RABBITMQ_LOGS": "-",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        },
        companion=[epmd, "-port", str(epmd_port)],
        ports=[port, dist_port, epmd_port],
    )


def programs() -> tuple[str, str]:
    """The paths of the node's own script and of epmd.

    Debian's wrapper on PATH becomes the user rabbitmq, without HOME. epmd belongs to the Erlang on
    PATH, which the script needs; it lies beside `erl`, or further in, with the runtime system.

    Raises:
        ServerError: RabbitMQ or Erlang is not installed.
    """
    node = str(_PACKAGED) if _PACKAGED.exists() else found("rabbitmq-server", _REMEDY)
    erl = Path(found("erl", _REMEDY)).resolve()
    epmd = shutil.which("epmd") or next(
        map(str, erl.parent.parent.glob("**/erts-*/bin/epmd")), None
    )
    if epmd is None:
        raise ServerError(f"no epmd on PATH nor with {erl}: {_REMEDY}")
    return node, epmd


def _greets(port: int) -> bool:
    """Whether AMQP is spoken: the answer to the protocol's header is a method frame (type 1)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.settimeout(2)
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"
    except OSError:
        return False
