"""Airflow's REST API, as far as we use it.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from airflow_impl.environment import locked_version
from shared.errors import UsageError
from shared.settings import masked, settings

ANSWERS_WITHIN = 60.0  # seconds; an API server whose tasks keep it busy is slow
PARSED_WITHIN = 60.0  # seconds for the DAG processor to have read a new server's DAGs
POLL_SECONDS = 0.2
PAGE = 1_000  # what the embedded server allows; a server that allows less gives less


class UnreachableError(UsageError):
    """The API server does not answer."""


class Api:
    """A connection to the API server."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            UnreachableError: nobody answers there.
            UsageError: no address is set, or it is not that of our release of Airflow.
        """
        self._address = settings().required("airflow_api_url").rstrip("/")
        parts = urlsplit(self._address)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        base = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        try:
            self._client = httpx.Client(base_url=base, timeout=ANSWERS_WITHIN, trust_env=False)
            self._log_in()
            self._check_version()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise UsageError(
                f"AIRFLOW_API_URL={masked(self._address)!r} is not an address: use http://host:8080"
            ) from None

    def _log_in(self) -> None:
        if self._user:
            body = {"username": self._user, "password": self._password}
            answer = self._send("POST", "/auth/token", json=body)
        else:  # a server on which everybody is admin, as the embedded one
            answer = self._send("GET", "/auth/token")
        if answer.status_code != httpx.codes.CREATED:
            hint = (
                "correct user and password" if self._user else "use http://user:password@host:port"
            )
            if answer.status_code not in {400, 401, 403}:
                hint = "name the API server of Airflow 3, http://host:8080"
            raise self._refused(answer, hint)
        try:
            token = answer.json()["access_token"]
        except (ValueError, KeyError, TypeError):
            raise self._refused(answer, "name the API server of Airflow 3") from None
        self._client.headers["Authorization"] = f"Bearer {token}"

    def _check_version(self) -> None:
        theirs, ours = str(self.get("/version").get("version")), locked_version()
        if theirs.split(".")[:2] != ours.split(".")[:2]:
            raise UsageError(
                f"AIRFLOW_API_URL={masked(self._address)} is Airflow {theirs}, and the DAGs are "
                f"written for {ours}: name a server of that release"
            )

    @property
    def address(self) -> str:
        """Where the server is, without a password."""
        return masked(self._address)

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a question.

        Raises:
            UnreachableError: the server does not answer.
            UsageError: it refuses.
        """
        return self._checked(self._send("GET", f"/api/v2{path}", params=parameters))

    def find(self, path: str, **parameters: Any) -> dict[str, Any] | None:
        """The same, None for what is not there."""
        answer = self._send("GET", f"/api/v2{path}", params=parameters)
        return None if answer.status_code == httpx.codes.NOT_FOUND else self._checked(answer)

    def pages(self, path: str, name: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All members of a collection, page by page."""
        offset = 0
        while True:
            found = self.get(path, limit=PAGE, offset=offset, **parameters)
            yield from found[name]
            offset += len(found[name])
            if not found[name] or offset >= (found["total_entries"] or 0):
                return

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Create something; None where it is there already."""
        answer = self._send("POST", f"/api/v2{path}", json=body)
        return None if answer.status_code == httpx.codes.CONFLICT else self._checked(answer)

    def change(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change something."""
        return self._checked(self._send("PATCH", f"/api/v2{path}", json=body))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **given)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(
                f"cannot reach Airflow's API server at AIRFLOW_API_URL={masked(self._address)}: "
                f"{reason}; start it or correct the address"
            ) from error

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            raise self._refused(answer, "look at the server's log")
        found: dict[str, Any] = answer.json()
        return found

    def _refused(self, answer: httpx.Response, hint: str) -> UsageError:
        said = f"{answer.status_code} {answer.reason_phrase}"
        # Where it is not Airflow's way to answer, the status has to do.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said += f", {answer.json()['detail']}"
        return UsageError(
            f"AIRFLOW_API_URL={masked(self._address)} answered {said} to "
            f"{answer.request.url.path}: {hint}"
        )


def segment(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def run_path(dag_id: str, run_id: str) -> str:
    """Where a DAG run is."""
    return f"/dags/{segment(dag_id)}/dagRuns/{segment(run_id)}"


def import_errors(api: Api) -> list[str]:
    """One line for each of our files that does not import: the file, and the last line it said."""
    lines = []
    for error in api.pages("/importErrors", "import_errors"):
        said = [line.strip() for line in error["stack_trace"].splitlines() if line.strip()]
        lines.append(
            f"{PurePosixPath(error['filename']).name}: {said[-1] if said else 'no reason'}"
        )
    return lines


def await_dag(api: Api, dag_id: str, deadline: float | None = None) -> None:
    """Return once the server knows the DAG, which it does not at once when it is new.

    Args:
        api: the connection.
        dag_id: the DAG.
        deadline: by the monotonic clock; None: a minute from now.

    Raises:
        UsageError: a file does not import, or nobody has read the DAG in time.
    """
    deadline = time.monotonic() + PARSED_WITHIN if deadline is None else deadline
    while api.find(f"/dags/{segment(dag_id)}") is None:
        if broken := import_errors(api):
            raise UsageError(f"a DAG does not import: {broken[0]}; mend the file, and try again")
        if time.monotonic() > deadline:
            raise UsageError(
                f"{api.address} knows no DAG {dag_id!r}: its dags_folder has to be "
                "airflow_impl/, and a DAG processor has to run"
            )
        time.sleep(POLL_SECONDS)
