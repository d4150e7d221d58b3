"""The way to the Prefect server: its address comes from our settings alone."""

from __future__ import annotations

import httpx
import prefect
from prefect.client.orchestration import SyncPrefectClient

from shared.errors import UsageError
from shared.settings import settings

ANSWERS_WITHIN = 60.0  # seconds; a server that catches up after a wide flow is slow


def connect() -> SyncPrefectClient:
    """A client that is not yet entered.

    Raises:
        UsageError: the server's address is not set, or is none, or no Prefect server of the
            client's major version answers there.
    """
    url = settings().required("prefect_api_url")
    try:
        # Prefect's client asks a server that hangs up again and again, for more than a minute.
        answer = httpx.get(f"{url}/admin/version", timeout=ANSWERS_WITHIN).raise_for_status()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):  # that: of the host's name
        raise UsageError(
            f"PREFECT_API_URL={url!r} is no address: use http://host:4200/api"
        ) from None
    except httpx.HTTPError as error:
        raise not_usable(error) from error
    theirs, ours = answer.text.strip('"\n'), prefect.__version__
    if theirs.partition(".")[0] != ours.partition(".")[0]:
        raise UsageError(
            f"PREFECT_API_URL={url} says {theirs[:20]!r} where a Prefect server's API tells its "
            f"version, and this is a client of Prefect {ours}: name a server of the same major "
            "version, http://host:4200/api"
        )
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
