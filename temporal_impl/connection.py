"""The connection to the server, from the settings."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import time
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from shared.errors import UsageError
from shared.settings import settings

_ANSWERS_WITHIN = 10  # seconds
# A client's connection preface in HTTP/2, which gRPC runs on, and the type of the frame with which
# every server must begin (RFC 9113, 3.4 and 6.5).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4

# A thread of the SDK may still be letting go of Python when a short program ends, right after its
# last answer: it then ended in a crash (SIGABRT, SIGSEGV), one time in five.
atexit.register(time.sleep, 0.05)


async def connect(runtime: Runtime | None = None) -> Client:
    """A client of the server at TEMPORAL_ADDRESS, in TEMPORAL_NAMESPACE.

    Args:
        runtime: the SDK's threads and telemetry; the process's default one when None.

    Raises:
        UsageError: the address is not set, no Temporal server answers there, or it has no such
            namespace.
    """
    address, namespace = settings().required("temporal_address"), settings().temporal_namespace
    # API key, TLS and the like come from Temporal's own configuration: TEMPORAL_API_KEY,
    # TEMPORAL_TLS and so on, or a profile in its file. Address and namespace are ours.
    given: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    given.update(target_host=address, namespace=namespace)
    await _knock(address, encrypted=bool(given.get("tls")))
    try:
        client = await Client.connect(**given, runtime=runtime)
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=namespace)
        )
    except (RuntimeError, ValueError) as error:
        # What the SDK's core raises where something answers that is no Temporal server.
        raise UsageError(_no_answer(address, str(error))) from None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise UsageError(_no_answer(address, error.message)) from None
        raise UsageError(
            f"TEMPORAL_NAMESPACE={namespace}: the server at {address} has no such namespace"
        ) from None
    return client


async def _knock(address: str, *, encrypted: bool) -> None:
    """See that something there speaks HTTP/2, before the SDK does: its core can abort the
    interpreter that ends right after a connection that failed.

    Of a connection that is to be encrypted only that there is one.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(f"TEMPORAL_ADDRESS={address}: use host:port, for example localhost:7233")
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                if encrypted:
                    return
                writer.write(_PREFACE)
                frame = await reader.readexactly(9)  # a frame's header
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except UnicodeError:
        raise UsageError(_no_answer(address, "no host can have this name")) from None
    except asyncio.IncompleteReadError:
        raise UsageError(_no_answer(address, "it hangs up")) from None
    except OSError as error:
        raise UsageError(_no_answer(address, str(error) or "timed out")) from None
    if frame[3] != _SETTINGS:
        raise UsageError(_no_answer(address, "it does not speak gRPC"))


def explain(error: Exception) -> str | None:
    """One line about a server that went away in the middle; None for other errors."""
    if isinstance(error, RPCError):
        return _no_answer(settings().required("temporal_address"), error.message)
    return None


def _no_answer(address: str, reason: str) -> str:
    short = " ".join(reason.split())[:120]
    return (
        f"TEMPORAL_ADDRESS={address}: no Temporal server answers there ({short}); "
        "start it or correct the address"
    )
