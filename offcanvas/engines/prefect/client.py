"""Starting canvases and following them, from code that is not asynchronous."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import httpx
from prefect import __version__ as installed
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Cancelling

from offcanvas.canvas.rules import result_id
from offcanvas.engines.prefect.job import DEPLOYMENT, FLOW, REVOKE, TAG, Job
from offcanvas.engines.prefect.patience import SETTINGS
from offcanvas.engines.prefect.title import title
from offcanvas.engines.walker import Branch
from offcanvas.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node

T = TypeVar("T")

#: The server gives no more at a time.
PAGE = 200
_OPEN = (
    StateType.SCHEDULED,
    StateType.PENDING,
    StateType.RUNNING,
    StateType.PAUSED,
    StateType.CANCELLING,
)


def address() -> str:
    """The address in PREFECT_API_URL.

    Raises:
        EngineUnavailable: it is not set.
    """
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise EngineUnavailable("PREFECT_API_URL is not set; set it to http://host:4200/api")
    return url


class Caller:
    """A client of the Prefect server at ``url``; may be used from any thread.

    Raises:
        EngineUnavailable: no Prefect 3 server answers there, or it is older than the library.
    """

    def __init__(self, url: str, deployment: str = DEPLOYMENT) -> None:
        if not url.startswith(("http://", "https://")):
            raise EngineUnavailable(
                f"PREFECT_API_URL={url!r} is no address; use http://host:4200/api"
            )
        self.url = url
        self.deployment = deployment
        api = get_current_settings().api
        self.client = SyncPrefectClient(
            url,
            api_key=api.key.get_secret_value() if api.key else None,
            auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
            httpx_settings=SETTINGS,
        )
        self._deployment_id: UUID | None = None
        with in_one_line(self.url):
            self.client.__enter__()
            self._check_version()

    def _check_version(self) -> None:
        there = str(self.client.api_version())
        if there.split(".")[:2] != installed.split(".")[:2]:
            raise EngineUnavailable(
                f"the Prefect server at {self.url} has version {there}, the library here "
                f"{installed}; they have to be of the same minor version"
            )

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the connection."""
        self.client.__exit__(None, None, None)

    def start(self, app: Celery, plan: Node | Branch, *, strict: bool = False) -> UUID:
        """Start a prepared plan (``prepare.prepare``); returns the flow run's id.

        Raises:
            EngineUnavailable: the server did not take it, or has no deployment for it.
        """
        branch = plan if isinstance(plan, Branch) else Branch(plan)
        text = Job(branch, strict).to_text(app)

        def create() -> FlowRun:
            return self.client.create_flow_run_from_deployment(
                self._deployment(),
                parameters={"job": text},
                name=title(branch.node),
                tags=[TAG, *_result_tags(branch.node)],
                idempotency_key=str(uuid.uuid4()),
            )

        return self.ask(create).id

    def walk(
        self, app: Celery, plan: Node, *, strict: bool = False, timeout: float | None = None
    ) -> bool:
        """Walk a prepared plan and everything it starts; False when ``timeout`` came first."""
        begun = self.start(app, plan, strict=strict)
        over = self.finish(begun, timeout)
        if not over:
            self.cancel(begun)
        return over

    def _deployment(self) -> UUID:
        if self._deployment_id is None:
            name = f"{FLOW}/{self.deployment}"
            try:
                self._deployment_id = self.client.read_deployment_by_name(name).id
            except ObjectNotFound:
                raise EngineUnavailable(
                    f"the Prefect server at {self.url} has no deployment {name}; start a worker: "
                    f"python -m offcanvas.engines.prefect module:app"
                ) from None
        return self._deployment_id

    def find(self, result_id: str) -> list[UUID]:
        """The flow runs that were started for the result of this id, the oldest first."""
        tag = FlowRunFilterTags(all_=[f"result:{result_id}"])

        def read() -> list[FlowRun]:
            return self.client.read_flow_runs(
                flow_run_filter=FlowRunFilter(tags=tag),
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=PAGE,
            )

        return [run.id for run in self.ask(read)]

    def finish(self, flow_run_id: UUID, timeout: float | None = None) -> bool:
        """Wait until the canvas, and every tree that its tasks have started, is at its end.

        Returns False when ``timeout`` seconds came first.

        Raises:
            EngineError: the walk itself has failed, as when the result backend is down.
        """
        begun = time.monotonic()
        while not self.ask(lambda: self._is_over(flow_run_id)):
            waited = time.monotonic() - begun
            if timeout is not None and waited > timeout:
                return False
            # Each question costs the server 10 ms of CPU: right to a twentieth is enough.
            time.sleep(min(1.0, max(0.03, waited / 20)))
        return True

    def _is_over(self, flow_run_id: UUID) -> bool:
        state = self.client.read_flow_run(flow_run_id).state
        if state is None or not state.is_final():
            return False
        if state.is_crashed():
            raise EngineError(f"the flow run {flow_run_id} was cut short: {state.message}")
        return next(self._open(f"{TAG}:{flow_run_id}"), None) is None

    def _open(self, tag: str) -> Iterator[FlowRun]:
        offset = 0
        while page := self.client.read_flow_runs(**still_open(tag), offset=offset):
            yield from page
            offset += len(page)

    def cancel(self, flow_run_id: UUID) -> None:
        """End a canvas, with the tasks that run."""
        self.ask(lambda: self.client.set_flow_run_state(flow_run_id, Cancelling(), force=True))

    def revoke(
        self, ids: Sequence[str], *, terminate: bool = False, flow_runs: Sequence[UUID] = ()
    ) -> None:
        """Tell every canvas that runs that these tasks must not.

        As with Celery, where a revoke goes to every worker: only the plan knows where a task is.
        ``flow_runs`` are those that are known to have them; without any, all are told.
        """
        message = {"ids": list(ids), "terminate": terminate}
        targets = list(flow_runs) or self.ask(lambda: [run.id for run in self._open(TAG)])
        for target in dict.fromkeys(targets):
            # It may have ended, and been deleted, meanwhile.
            with suppress(ObjectNotFound):
                self.ask(lambda target=target: self._tell(target, message))  # type: ignore[misc]

    def _tell(self, flow_run_id: UUID, message: Mapping[str, Any]) -> None:
        self.client.create_flow_run_input(flow_run_id, *as_input(message))

    def ask(self, question: Callable[[], T]) -> T:
        """What ``question`` answers.

        Raises:
            EngineUnavailable: the server does not answer, or is none.
        """
        with in_one_line(self.url):
            return question()


def still_open(tag: str) -> dict[str, Any]:
    """Arguments of ``read_flow_runs``: a page of flow runs with this tag that have not ended."""
    return {
        "flow_run_filter": FlowRunFilter(
            tags=FlowRunFilterTags(all_=[tag]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_OPEN))),
        ),
        "sort": FlowRunSort.EXPECTED_START_TIME_ASC,
        "limit": PAGE,
    }


def as_input(message: Mapping[str, Any]) -> tuple[str, str]:
    """Key and value of the input by which a flow run is told what was revoked."""
    return f"{REVOKE}-{uuid.uuid4().hex}", json.dumps(message)


def _result_tags(node: Node) -> list[str]:
    found = result_id(node)
    return [] if found is None else [f"result:{found}"]


@contextmanager
def in_one_line(url: str) -> Iterator[None]:
    """Errors on the way to the server as one line for a person."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        said = f"{error.response.status_code} {error.response.reason_phrase}"
        raise EngineUnavailable(
            f"the server at {url} answered {said} to {error.request.url.path}; "
            f"PREFECT_API_URL has to name the API of a Prefect server, http://host:4200/api"
        ) from error
    except (httpx.HTTPError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EngineUnavailable(
            f"no Prefect server answers at {url} ({reason:.120}); start one, or set PREFECT_API_URL"
        ) from None
