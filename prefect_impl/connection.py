"""The way to the Prefect server: its address comes from our settings alone."""

from __future__ import annotations

import httpx
from prefect.client.orchestration import SyncPrefectClient

from shared.errors import UsageError
from shared.settings import settings

ANSWERS_WITHIN = 30.0  # seconds; a server that catches up after a wide flow is slow


def connect() -> SyncPrefectClient:
    """A client that is not yet entered.

    Raises:
        UsageError: the server's address is not set, or is none, or no HTTP server answers there.
    """
    url = settings().required("prefect_api_url")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"PREFECT_API_URL={url!r} is no address: use http://host:4200/api")
    try:
        # Prefect's client asks a server that hangs up again and again, for more than a minute.
        httpx.get(f"{url}/health", timeout=ANSWERS_WITHIN)
    except httpx.HTTPError as error:
        raise not_usable(error) from error
    return SyncPrefectClient(url)


def not_usable(error: httpx.HTTPError) -> UsageError:
    """The error as one line for a person."""
    address = f"PREFECT_API_URL={settings().required('prefect_api_url')}"
    if isinstance(error, httpx.HTTPStatusError):
        said = f"{error.response.status_code} {error.response.reason_phrase}"
        path = error.request.url.path
        return UsageError(
            f"{address} answered {said} to {path}: name the API of a Prefect 3 server, "
            "http://host:4200/api; if it is one, look at the server's log"
        )
    reason = str(error) or type(error).__name__
    return UsageError(
        f"cannot reach the Prefect server at {address}: {reason}; start it or correct the address"
    )
