"""Starting canvases and following them, from code that is not asynchronous."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import httpx
from packaging.version import InvalidVersion, Version
from prefect import __version__ as installed
from prefect.client.base import ServerType
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from offcanvas.canvas.calls import Branch
from offcanvas.canvas.nodes import Group
from offcanvas.canvas.planner import result_id
from offcanvas.canvas.title import title
from offcanvas.engines.batches import Batch
from offcanvas.engines.prefect.connection import Connection, configured, knock, trusted
from offcanvas.engines.prefect.job import DEPLOYMENT, FLOW, REVOKE, TAG, TOLD, Job
from offcanvas.engines.prefect.patience import SETTINGS
from offcanvas.errors import EngineError, EngineUnavailable
from offcanvas.printable import masked

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


def can_serve(server: str, library: str) -> bool:
    """Whether a server of one version can serve a library of another.

    The rule is Prefect's own (``SyncPrefectClient.raise_for_api_version_mismatch``): the major
    version is the same, and the server is not older. Where Prefect logs a warning about an older
    server, a patch release is allowed to differ here, and an older minor version is refused.
    ``prefect_impl.connection`` has the same rule; a test compares the two.
    """
    try:
        theirs, ours = Version(server).release, Version(library).release
    except InvalidVersion:
        return False
    return theirs[0] == ours[0] and theirs[:2] >= ours[:2]


class Caller:
    """A client of the Prefect server at ``url``; may be used from any thread.

    To a ``private`` server it goes directly, and without the user's credentials.

    Raises:
        EngineUnavailable: no Prefect 3 server answers there, or it is older than the library.
    """

    def __init__(self, url: str, deployment: str = DEPLOYMENT, *, private: bool = False) -> None:
        if not url.startswith(("http://", "https://")):
            raise EngineUnavailable(
                f"PREFECT_API_URL={masked(url)!r} is not an address; use http://host:4200/api"
            )
        self.url = url
        self.deployment = deployment
        given = Connection(url) if private else configured()
        # Of the user's settings a private server needs no proxy and no certificates either.
        verify = ssl.create_default_context() if private else trusted()
        way: dict[str, Any] = {"verify": verify, "trust_env": not private}
        self.client = SyncPrefectClient(
            url,
            api_key=given.api_key,
            auth_string=given.auth_string,
            httpx_settings={**SETTINGS, **way},
        )
        self._deployment_id: UUID | None = None
        with in_one_line(self.url):
            knock(url, way)
            self.client.__enter__()
            self._check_version()

    def _check_version(self) -> None:
        if self.client.server_type is ServerType.CLOUD:  # which serves every version
            return
        there = str(self.client.api_version())
        if not can_serve(there, installed):
            raise EngineUnavailable(
                f"the Prefect server at {masked(self.url)} has version {there[:20]!r}, the library "
                f"here {installed!r}: update the server to that version or a later one with the "
                "same major version"
            )

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the connection."""
        self.client.__exit__(None, None, None)

    def start(
        self,
        app: Celery,
        plan: Node | Branch,
        *,
        strict: bool = False,
        once: bool = False,
        batch: Batch = None,
        spread: int | None = None,
    ) -> UUID:
        """Start a prepared plan (``prepare.prepare``); returns the flow run's id.

        ``once``: the result's id is the idempotency key as it is, and a flow run that has ended is
        not followed by another one.

        ``batch`` is how many members of a group run in one task run, one after the other in one
        process: "auto" for as many as take half a second, or a number. None for one by one.

        ``spread`` is how many tasks of a wide group one flow run walks; None for all.

        Raises:
            EngineUnavailable: the server did not take it, or has no deployment for it.
        """
        branch = plan if isinstance(plan, Branch) else Branch(plan)
        text = Job(branch, strict, batch=batch, spread=spread).to_text(app)

        def create(key: str) -> FlowRun:
            return self.client.create_flow_run_from_deployment(
                self._deployment(),
                parameters={"job": text},
                name=title(branch.node),
                tags=[TAG, *_result_tags(branch.node)],
                idempotency_key=key,
            )

        # One flow run for an id, as long as that runs: two calls with the same task_id are one
        # task, and both callers get its result. When it has ended it may run again, as on Celery.
        found, name = result_id(branch.node), ""
        if once and found is not None:
            return self.ask(lambda: create(found)).id
        while True:
            key = f"{self.ask(self._deployment)}:{found or uuid.uuid4()}{name}"
            run = self.ask(lambda key=key: create(key))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            if found is not None and _has_ended(run):
                run = self._last(found) or run
                name = f":{run.id}"
            if not _has_ended(run):
                return run.id

    def start_burst(
        self, app: Celery, branches: Sequence[Branch], *, strict: bool = False, batch: Batch = None
    ) -> UUID:
        """Start tasks that were sent alone in one flow run; returns its id.

        Raises:
            EngineUnavailable: the server did not take them, or has no deployment for them.
        """
        first, *more = branches
        text = Job(first, strict, batch=batch, more=tuple(more)).to_text(app)
        key = f"burst:{uuid.uuid4()}"
        run = self.ask(
            lambda: self.client.create_flow_run_from_deployment(
                self._deployment(),
                parameters={"job": text},
                name=title(Group(members=tuple(branch.node for branch in branches))),
                tags=[TAG],
                idempotency_key=key,
            )
        )
        return run.id

    def _last(self, found: str) -> FlowRun | None:
        """The flow run of this deployment that was started last for the result of this id."""
        here = DeploymentFilter(id=DeploymentFilterId(any_=[self.ask(self._deployment)]))
        tag = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"result:{found}"]))
        runs = self.ask(
            lambda: self.client.read_flow_runs(
                flow_run_filter=tag,
                deployment_filter=here,
                sort=FlowRunSort.EXPECTED_START_TIME_DESC,
                limit=1,
            )
        )
        return runs[0] if runs else None

    def walk(
        self,
        app: Celery,
        plan: Node,
        *,
        strict: bool = False,
        timeout: float | None = None,
        batch: Batch = None,
    ) -> bool:
        """Walk a prepared plan and everything it starts; False when ``timeout`` came first."""
        begun = self.start(app, plan, strict=strict, batch=batch)
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
                    f"the Prefect server at {masked(self.url)} has no deployment {name}; start a "
                    f"worker: python -m offcanvas.engines.prefect module:app"
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
            self.ask(lambda target=target: self._tell(target, message))  # type: ignore[misc]

    def _tell(self, flow_run_id: UUID, message: Mapping[str, Any]) -> None:
        with unless_gone():
            self.client.create_flow_run_input(flow_run_id, *as_input(message))
            tags = self.client.read_flow_run(flow_run_id).tags
            if TOLD not in tags:
                self.client.update_flow_run(flow_run_id, tags=[*tags, TOLD])

    def ask(self, question: Callable[[], T]) -> T:
        """What ``question`` answers.

        Raises:
            EngineUnavailable: the server does not answer, or is none.
        """
        with in_one_line(self.url):
            return question()


def _has_ended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


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
    """Key and value of the input by which a flow run is told what was revoked.

    The flow run then gets the tag ``TOLD``, in this order: it looks for inputs when it has the tag.
    """
    return f"{REVOKE}-{uuid.uuid4().hex}", json.dumps(message)


@contextmanager
def unless_gone() -> Iterator[None]:
    """A flow run that is told something may have ended, and been deleted, meanwhile."""
    try:
        yield
    except ObjectNotFound:
        return
    except httpx.HTTPStatusError as error:  # what Prefect's client has for inputs
        if error.response.status_code != httpx.codes.NOT_FOUND:
            raise


def _result_tags(node: Node) -> list[str]:
    found = result_id(node)
    return [] if found is None else [f"result:{found}"]


@contextmanager
def in_one_line(url: str) -> Iterator[None]:
    """Errors on the way to the server as one line for a person."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        if error.response.status_code in {401, 403}:
            raise EngineUnavailable(
                f"the Prefect server at {masked(url)} wants authentication, and refuses what it "
                f"got ({error.response.status_code}): set PREFECT_API_AUTH_STRING, or "
                f"PREFECT_API_KEY for Prefect Cloud"
            ) from None
        said = f"{error.response.status_code} {error.response.reason_phrase}"
        if error.response.status_code in {409, 422}:  # parameters that do not fit, for one
            raise EngineUnavailable(
                f"the Prefect server at {masked(url)} refuses this with {said}: "
                f"{' '.join(error.response.text.split()):.300}"
            ) from error
        raise EngineUnavailable(
            f"the server at {masked(url)} answered {said} to {error.request.url.path}; "
            f"PREFECT_API_URL has to name the API of a Prefect server, http://host:4200/api"
        ) from error
    except (httpx.HTTPError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EngineUnavailable(
            f"no Prefect server answers at {masked(url)} ({masked(reason):.120}); start one, or "
            "set PREFECT_API_URL"
        ) from None
