"""The connection to the server: its address from the settings, the rest as Temporal's tools do.

TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS and the other variables, or a profile of
Temporal's configuration file (TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE):
https://docs.temporal.io/develop/environment-configuration
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
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
    """A client of the server at TEMPORAL_ADDRESS, in TEMPORAL_NAMESPACE or the profile's namespace.

    Args:
        runtime: the SDK's threads and telemetry; the process's default one when None.

    Raises:
        UsageError: the address is not set, Temporal's configuration cannot be used, no Temporal
            server answers there, it refuses the credentials, or it has no such namespace.
    """
    address = settings().required("temporal_address")
    given = {**_configured(), "target_host": address}
    if "temporal_namespace" in settings().model_fields_set:
        given["namespace"] = settings().temporal_namespace
    namespace = given.setdefault("namespace", settings().temporal_namespace)
    await _knock(address, encrypted=bool(given.get("tls")))
    try:
        client = await Client.connect(**given, runtime=runtime)
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=namespace)
        )
    except (RuntimeError, ValueError) as error:
        # What the SDK's core raises where something answers that is no Temporal server.
        raise UsageError(_refused(given, " ".join(str(error).split()))) from None
    except RPCError as error:
        if error.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
            raise UsageError(_unwelcome(address, error.message)) from None
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise UsageError(_no_answer(address, error.message)) from None
        raise UsageError(
            f"TEMPORAL_NAMESPACE={namespace}: the server at {address} has no such namespace"
        ) from None
    return client


def _configured() -> dict[str, Any]:
    """What Temporal's own configuration says: API key, TLS, namespace."""
    file = os.environ.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).is_file():
        raise UsageError(f"TEMPORAL_CONFIG_FILE={file}: there is no such file")
    try:
        return dict(ClientConfig.load_client_connect_config())
    except Exception as error:  # the SDK's own, of files and of values
        raise UsageError(
            "Temporal's configuration (the variables TEMPORAL_* and its file) cannot be used: "
            f"{type(error).__name__}: {' '.join(str(error).split()):.200}"
        ) from None


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


def _refused(given: Mapping[str, Any], reason: str) -> str:
    """What the SDK's core says of a connection that failed, and what to do about it."""
    address, tls = given["target_host"], given.get("tls")
    if re.search(r"code: (Unauthenticated|PermissionDenied)", reason):
        return _unwelcome(address, "".join(re.findall(r'message: "([^"]+)"', reason)))
    certificate = re.search(r"InvalidCertificate\((\w+)", reason)
    if certificate is not None:
        return (
            f"TEMPORAL_ADDRESS={address}: the server's certificate is not believed "
            f"({certificate[1]}): name who has signed it in TEMPORAL_TLS_SERVER_CA_CERT_PATH"
        )
    if tls or (given.get("api_key") and tls is None):
        reason = "it does not speak TLS" if "InvalidContentType" in reason else reason
        return (
            f"TEMPORAL_ADDRESS={address}: no Temporal server answers there with TLS "
            f"({reason:.120}); an API key asks for TLS: correct the address, or set "
            "TEMPORAL_TLS=false for a server without it"
        )
    return _no_answer(address, reason)


def _unwelcome(address: str, reason: str) -> str:
    return (
        f"TEMPORAL_ADDRESS={address}: the server refuses the credentials ({reason:.120}); set "
        "TEMPORAL_API_KEY, or the certificates of TEMPORAL_TLS_*, and TEMPORAL_NAMESPACE"
    )


def _no_answer(address: str, reason: str) -> str:
    short = " ".join(reason.split())[:120]
    return (
        f"TEMPORAL_ADDRESS={address}: no Temporal server answers there ({short}); "
        "start it or correct the address"
    )
