"""The way to the Prefect server: its address comes from our settings alone."""

from __future__ import annotations

import base64
import ssl

import httpx
import prefect
from packaging.version import InvalidVersion, Version
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import get_current_settings

from shared.errors import UsageError
from shared.settings import masked, settings

ANSWERS_WITHIN = 60.0  # seconds; a server that catches up after a wide flow is slow


def connect() -> SyncPrefectClient:
    """A client that is not yet entered.

    Raises:
        UsageError: the server's address is not set, or is none, or no Prefect server of the
            client's version or a later one answers there.
    """
    url = settings().required("prefect_api_url")
    try:
        # Prefect's client asks a server that hangs up again and again, for more than a minute.
        answer = httpx.get(
            f"{url}/admin/version",
            headers=_authorization(),
            timeout=ANSWERS_WITHIN,
            verify=_trusted(),
        ).raise_for_status()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):  # that: of the host's name
        raise UsageError(
            f"PREFECT_API_URL={masked(url)!r} is not an address: use http://host:4200/api"
        ) from None
    except httpx.HTTPError as error:
        raise not_usable(error) from error
    theirs, ours = answer.text.strip('"\n'), prefect.__version__
    if not can_serve(theirs, ours):
        raise UsageError(
            f"PREFECT_API_URL={masked(url)} says {theirs[:20]!r} where a Prefect server's API "
            f"tells its version, and this is a client of Prefect {ours}: name a server of that "
            "version or a later one of the same major version, http://host:4200/api"
        )
    api = get_current_settings().api
    return SyncPrefectClient(
        url,
        api_key=api.key.get_secret_value() if api.key else None,
        auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
    )


def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed; Prefect's own settings say it.

    Raises:
        UsageError: PREFECT_API_SSL_CERT_FILE cannot be used.
    """
    api = get_current_settings().api
    if not api.ssl_cert_file or api.tls_insecure_skip_verify:
        return httpx.create_ssl_context(verify=not api.tls_insecure_skip_verify)
    try:
        return ssl.create_default_context(cafile=api.ssl_cert_file)
    except OSError as error:
        raise UsageError(
            f"PREFECT_API_SSL_CERT_FILE={api.ssl_cert_file}: no certificates can be read there "
            f"({error})"
        ) from None


def _authorization() -> dict[str, str]:
    """What Prefect's own client sends: the key of Prefect Cloud, or the server's auth string."""
    api = get_current_settings().api
    if api.key:
        return {"Authorization": f"Bearer {api.key.get_secret_value()}"}
    if api.auth_string:
        encoded = base64.b64encode(api.auth_string.get_secret_value().encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
    return {}


def can_serve(server: str, library: str) -> bool:
    """Whether a server of one version can serve a library of another.

    The major version has to be the same, and the server's minor version not older, as Prefect's own
    check has it (`SyncPrefectClient.raise_for_api_version_mismatch`).
    """
    try:
        theirs, ours = Version(server).release, Version(library).release
    except InvalidVersion:
        return False
    return theirs[0] == ours[0] and theirs[:2] >= ours[:2]


def not_usable(error: httpx.HTTPError) -> UsageError:
    """The error as one line for a person."""
    address = f"PREFECT_API_URL={masked(settings().required('prefect_api_url'))}"
    if isinstance(error, httpx.HTTPStatusError):
        if error.response.status_code in {401, 403}:
            return UsageError(
                f"{address} wants authentication, and refuses what it got "
                f"({error.response.status_code}): set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY "
                "for Prefect Cloud"
            )
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
