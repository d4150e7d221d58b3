"""The connection to the server, from the settings."""

from __future__ import annotations

import asyncio
import contextlib

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from shared.errors import UsageError
from shared.settings import settings

_ANSWERS_WITHIN = 10  # seconds


async def connect(runtime: Runtime | None = None) -> Client:
    """A client of the server at TEMPORAL_ADDRESS, in TEMPORAL_NAMESPACE.

    Args:
        runtime: the SDK's threads and telemetry; the process's default one when None.

    Raises:
        UsageError: the address is not set, no Temporal server answers there, or it has no such
            namespace.
    """
    address, namespace = settings().required("temporal_address"), settings().temporal_namespace
    await _knock(address)
    try:
        client = await Client.connect(address, namespace=namespace, runtime=runtime)
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


async def _knock(address: str) -> None:
    """See that something listens there, before the SDK does: its core can abort the interpreter
    that ends right after a connection that failed.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(f"TEMPORAL_ADDRESS={address}: use host:port, for example localhost:7233")
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError as error:
        raise UsageError(_no_answer(address, str(error) or "timed out")) from None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


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
