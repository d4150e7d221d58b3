"""The way to the Temporal server: what Temporal's own tools read says where it is.

TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS and the other variables, or a
profile of Temporal's configuration file (TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE):
https://docs.temporal.io/develop/environment-configuration
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from offcanvas.errors import EngineUnavailable, line_of
from offcanvas.servers.environment import is_private

#: Seconds within which a server has to answer.
_ANSWERS_WITHIN = 30.0

# A thread of the SDK may still be letting go of Python when a short program ends, right after its
# last answer: it then ended in a crash (SIGABRT, SIGSEGV), one time in five.
atexit.register(time.sleep, 0.05)


def configured() -> dict[str, Any]:
    """Arguments of ``Client.connect`` as Temporal's own configuration has them.

    Without a ``target_host`` nothing says where a server is.

    Raises:
        EngineUnavailable: the configuration cannot be read.
    """
    if is_private():
        return {}
    file = os.environ.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).is_file():
        raise EngineUnavailable(f"TEMPORAL_CONFIG_FILE={file}: there is no such file")
    try:
        return dict(ClientConfig.load_client_connect_config())
    except Exception as error:  # the SDK's own, of files and of values
        raise EngineUnavailable(
            f"Temporal's configuration (the variables TEMPORAL_* and its file) cannot be used: "
            f"{line_of(error)}"
        ) from error


def names_a_server() -> bool:
    """Whether the configuration says where a server is."""
    return bool(configured().get("target_host"))


async def connect(address: str | None = None) -> Client:
    """A client of the server at ``address``, without TLS and in the namespace ``default``.

    Without an address, of the one that Temporal's configuration names.

    Raises:
        EngineUnavailable: no server answers there, it has no such namespace, or it refuses the
            credentials.
    """
    given = configured() if address is None else {"target_host": address}
    given.setdefault("target_host", "localhost:7233")
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            await _knock(given["target_host"])
            client = await Client.connect(**given)
            request = DescribeNamespaceRequest(namespace=client.namespace)
            await client.workflow_service.describe_namespace(request)
    except TimeoutError:
        raise EngineUnavailable(_refused(given, "it does not answer")) from None
    except RPCError as error:
        raise EngineUnavailable(_rpc_refused(given, error)) from None
    except (RuntimeError, ValueError, OSError) as error:
        # The core reports a refused connection as a RuntimeError, nested in its own language's.
        reason = " ".join(str(error).split())
        raise EngineUnavailable(_refused(given, reason)) from None
    return client


async def _knock(host: str) -> None:
    """See that something listens there, before the SDK does.

    Its core can abort an interpreter that ends right after a connection that failed.

    Raises:
        OSError: nothing does.
        ValueError: this is not an address.
    """
    name, _, port = host.rpartition(":")
    if not name or not port.isdecimal() or "/" in name:
        raise ValueError("an address is host:port, for example localhost:7233")
    try:
        _, writer = await asyncio.open_connection(name.strip("[]"), int(port))
    except OSError as error:
        if error.errno is not None and error.errno > 0:
            raise OSError(os.strerror(error.errno)) from error
        raise
    writer.close()


def _rpc_refused(given: Mapping[str, Any], error: RPCError) -> str:
    host = given["target_host"]
    if error.status is RPCStatusCode.NOT_FOUND:
        namespace = given.get("namespace", "default")
        return (
            f"the Temporal server at {host} has no namespace {namespace!r}; correct "
            "TEMPORAL_NAMESPACE, or create it: temporal operator namespace create"
        )
    if error.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
        return _unwelcome(host, error.message)
    return _refused(given, error.message)


def _unwelcome(host: str, reason: str) -> str:
    return (
        f"the Temporal server at {host} refuses the credentials ({reason:.120}); "
        "set TEMPORAL_API_KEY, or the certificates of TEMPORAL_TLS_*, and TEMPORAL_NAMESPACE"
    )


def _refused(given: Mapping[str, Any], reason: str) -> str:
    host, tls = given["target_host"], given.get("tls")
    certificate = re.search(r"InvalidCertificate\((\w+)", reason)
    if certificate is not None:
        return (
            f"the certificate of the Temporal server at {host} is not believed ({certificate[1]}): "
            "name who has signed it in TEMPORAL_TLS_SERVER_CA_CERT_PATH"
        )
    if re.search(r"code: (Unauthenticated|PermissionDenied)", reason):
        # Where already the first question is refused the core gives it in its own language's form.
        return _unwelcome(host, "".join(re.findall(r'message: "([^"]+)"', reason)))
    inner = re.findall(r'(?:message|error): "([^"]+)"', reason)
    reason = [reason, *inner][-1]
    if "InvalidContentType" in reason:
        reason = "what is there does not speak TLS"
    if tls or (given.get("api_key") and tls is None):
        return (
            f"no Temporal server answers with TLS at {host} ({reason:.120}); an API key asks for "
            "TLS: correct TEMPORAL_ADDRESS, or set TEMPORAL_TLS=false for a server without it"
        )
    return (
        f"no Temporal server answers at {host} ({reason:.120}); start one, or set TEMPORAL_ADDRESS"
    )
