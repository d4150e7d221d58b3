"""Where the Prefect server is: what Prefect's own tools read says it.

PREFECT_API_URL, PREFECT_API_KEY and PREFECT_API_AUTH_STRING, a profile (PREFECT_PROFILE,
``prefect config set``), ``.env``, ``prefect.toml`` or ``pyproject.toml``:
https://docs.prefect.io/v3/concepts/settings-and-profiles
"""

from __future__ import annotations

import os
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prefect.settings import Settings, load_profiles

from offcanvas.errors import EngineUnavailable, line_of
from offcanvas.servers.environment import is_private

#: Seconds within which a server has to say its version. One on SQLite is slow after a wide canvas.
_ANSWERS_WITHIN = 15.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's API, and how to show who asks. ``url`` is None where nothing names a server."""

    url: str | None
    api_key: str | None = None
    auth_string: str | None = None


def configured() -> Connection:
    """What Prefect's configuration says now, read anew: Prefect itself reads it once.

    Raises:
        EngineUnavailable: the configuration cannot be used.
    """
    if is_private():
        return Connection(None)
    profile = os.environ.get("PREFECT_PROFILE")
    try:
        read = Settings()
        if profile and profile not in _profiles(read.profiles_path):
            raise EngineUnavailable(
                f"PREFECT_PROFILE={profile}: there is no such profile; see: prefect profile ls"
            )
    except ValueError as error:  # of pydantic
        raise EngineUnavailable(
            f"Prefect's configuration cannot be used: {line_of(error)}"
        ) from None
    api = read.api
    return Connection(
        os.environ.get("PREFECT_API_URL") or api.url or None,
        api.key.get_secret_value() if api.key else None,
        api.auth_string.get_secret_value() if api.auth_string else None,
    )


def _profiles(path: Path) -> set[str]:
    # Prefect's own function looks where the file was when Prefect was imported.
    there = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {*load_profiles(), *there.get("profiles", ())}


def address() -> str:
    """The address of the server's API.

    Raises:
        EngineUnavailable: nothing names one.
    """
    url = configured().url
    if url is None:
        raise EngineUnavailable(
            "nothing says where the Prefect server is: set PREFECT_API_URL to "
            "http://host:4200/api, or: prefect config set PREFECT_API_URL=http://host:4200/api"
        )
    return url


def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: PREFECT_API_SSL_CERT_FILE, _TLS_INSECURE_SKIP_VERIFY.

    Raises:
        EngineUnavailable: the file cannot be used.
    """
    api = Settings().api
    if not api.ssl_cert_file or api.tls_insecure_skip_verify:
        return httpx.create_ssl_context(verify=not api.tls_insecure_skip_verify)
    try:
        return ssl.create_default_context(cafile=api.ssl_cert_file)
    except OSError as error:  # and ssl.SSLError, which is one
        raise EngineUnavailable(
            f"PREFECT_API_SSL_CERT_FILE={api.ssl_cert_file}: no certificates can be read there "
            f"({line_of(error)})"
        ) from None


def knock(url: str, settings: Mapping[str, Any]) -> None:
    """See that something there speaks HTTP: Prefect's client asks again for more than a minute.

    ``settings`` are for httpx.

    Raises:
        httpx.HTTPError: it does not.
    """
    with httpx.Client(**settings, timeout=_ANSWERS_WITHIN) as http:
        http.get(f"{url}/admin/version")
