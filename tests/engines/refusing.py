"""What answers every gRPC call with one status, as a server does that refuses who asks."""

import contextlib
import socket
import threading
from contextlib import contextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived


@contextmanager
def refusing(status, message):
    """Yields its port; ``status`` is a number of gRPC's, 16 where the credentials are unknown."""
    headers = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", str(status)),
        ("grpc-message", message),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, headers), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener, headers):
    with contextlib.suppress(OSError):
        while True:
            accepted, _ = listener.accept()
            threading.Thread(target=_answer, args=(accepted, headers), daemon=True).start()


def _answer(accepted, headers):
    spoken = H2Connection(H2Configuration(client_side=False))
    spoken.initiate_connection()
    with contextlib.suppress(OSError), accepted:
        accepted.sendall(spoken.data_to_send())
        while data := accepted.recv(65_536):
            for event in spoken.receive_data(data):
                if isinstance(event, RequestReceived):
                    spoken.send_headers(event.stream_id, headers, end_stream=True)
            accepted.sendall(spoken.data_to_send())
