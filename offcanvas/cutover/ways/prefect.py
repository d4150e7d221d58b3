"""What is asked of a Prefect server, and the way to a deployment of one's own there."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import DeploymentStatus, FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling, Scheduled

from offcanvas.cutover.calls import Call
from offcanvas.cutover.claims import FAILURE, SUCCESS, Claim
from offcanvas.cutover.rules import Rule
from offcanvas.cutover.ways.base import Ended, Ready, Refused
from offcanvas.cutover.ways.plain import begins_at, plain, require_carried
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.connection import configured
from offcanvas.errors import EngineUnavailable, UsageError

if TYPE_CHECKING:
    from celery import Celery

#: Seconds for which it is remembered that somebody serves a deployment.
_SERVED = 30.0
#: What a server says that may take the same request later.
_LATER = frozenset({408, 425, 429})


class PrefectServer:
    """See ``base.Server``."""

    def __init__(self, calls: Caller, deployment: str) -> None:
        self.calls = calls
        self.deployment = deployment
        self._served = -_SERVED
        self._id: UUID | None = None

    @property
    def deployment_id(self) -> UUID:
        """Of the deployment; it was looked at before."""
        if self._id is None:
            self._id = self._deployment().id
        return self._id

    def _deployment(self) -> Any:
        try:
            return self.calls.ask(
                lambda: self.calls.client.read_deployment_by_name(self.deployment)
            )
        except (ObjectNotFound, ValueError):
            raise EngineUnavailable(
                f"the Prefect server has no deployment {self.deployment!r}: deploy it, or start "
                "the worker that does"
            ) from None

    def require_taker(self) -> None:
        """See ``Server.require_taker``."""
        if time.monotonic() - self._served < _SERVED:
            return
        try:
            missing = self.look()
        except EngineUnavailable as error:
            raise EngineUnavailable(f"{error}; nothing was sent") from error
        if missing:
            raise EngineUnavailable(f"{missing[0]}; nothing was sent")
        self._served = time.monotonic()

    def look(self) -> list[str]:
        """See ``Server.look``."""
        found = self._deployment()
        self._id = found.id
        if found.status is DeploymentStatus.READY or found.paused:
            return [f"the deployment {self.deployment!r} is paused"] if found.paused else []
        return [f"nobody serves the deployment {self.deployment!r} on Prefect: start its worker"]

    def is_refusal(self, error: BaseException | None) -> bool:
        """See ``Server.is_refusal``."""
        if not isinstance(error, httpx.HTTPStatusError):
            return False
        code = error.response.status_code
        return 400 <= code < 500 and code not in _LATER

    def find(self, claim_id: str) -> FlowRun | None:
        """The flow run of a claim."""
        these = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[claim_id]))
        found = self.calls.ask(
            lambda: self.calls.client.read_flow_runs(flow_run_filter=these, limit=1)
        )
        return found[0] if found else None

    def ended(self, claim_id: str, *, read: bool) -> Ended | None:
        """See ``Server.ended``."""
        run = self.find(claim_id)
        if run is None or run.state is None or not run.state.is_final():
            return None
        at = run.end_time.timestamp() if run.end_time else None
        well = run.state.is_completed()
        if not read:
            return Ended(SUCCESS if well else FAILURE, at)
        try:
            value: Any = run.state.result()
        except Exception as error:  # the flow's own error, or a result that nobody has kept
            told = (type(error).__name__, str(error))
            return Ended(
                SUCCESS if well else FAILURE, at, error=None if well else told, stored=False
            )
        return Ended(SUCCESS, at, value=plain(value), stored=False)

    def cut_short(self, claim_id: str) -> bool:
        """See ``Server.cut_short``."""
        run = self.find(claim_id)
        if run is None:
            return True
        began = run.start_time is not None
        state: Any = Cancelling() if began else Cancelled()
        run_id = run.id
        self.calls.ask(lambda: self.calls.client.set_flow_run_state(run_id, state))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            run = self.find(claim_id)
            if run is None or run.state is None:
                return True
            if run.state.is_final():
                return run.state.is_cancelled() or run.state.is_crashed()
            time.sleep(0.3)
        raise EngineUnavailable(f"the flow run of {claim_id} does not end; look at its worker")


class PrefectPort:
    """The way to a deployment that is not the kit's; see ``base.Way``.

    The deployment is ``flow/package``, as ``offcanvas port`` writes it, unless the rule names one.
    """

    def __init__(self, app: Celery, rule: Rule) -> None:
        url = configured().url
        if url is None:
            raise UsageError("nothing says where the Prefect server is: set PREFECT_API_URL")
        self.app = app
        module, _, function = rule.root.rpartition(":" if ":" in rule.root else ".")
        named = f"{function.replace('_', '-')}/{module.partition('.')[0]}"
        self.calls = Caller(url, "")
        self.server = PrefectServer(self.calls, rule.deployment or named)

    def ready(self, call: Call) -> Ready:
        """See ``Way.ready``."""
        require_carried(call)
        self.server.require_taker()
        given, begins = plain(call.given), begins_at(call.options)
        result = self.app.AsyncResult(call.task_id)
        return Ready(result, lambda: self._start(call.task_id, given, begins))

    def _start(self, claim_id: str, given: dict[str, Any], begins: datetime | None) -> None:
        state: Any = Scheduled(scheduled_time=begins or datetime.now(UTC))

        def create() -> FlowRun:
            return self.calls.client.create_flow_run_from_deployment(
                self.server.deployment_id,
                parameters=given,
                idempotency_key=claim_id,
                tags=[f"celery:{claim_id}"],
                state=state,
            )

        try:
            self.calls.ask(create)
        except EngineUnavailable as error:
            if self.server.is_refusal(error.__cause__):
                raise Refused(error) from error
            raise

    def ended(self, claim: Claim) -> Ended | None:
        """See ``Way.ended``."""
        return self.server.ended(claim.id, read=True)

    def cut_short(self, claim: Claim) -> bool:
        """See ``Way.cut_short``."""
        return self.server.cut_short(claim.id)

    def look(self) -> list[str]:
        """See ``Way.look``."""
        return self.server.look()

    def revoke(self, ids: list[str], *, terminate: bool) -> None:
        """See ``Way.revoke``; a flow run is asked to end, whether or not it has begun."""
        for one in ids:
            run = self.server.find(one)
            if run is not None and not (run.state and run.state.is_final()):
                self.calls.ask(
                    lambda run=run: self.calls.client.set_flow_run_state(run.id, Cancelling())  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                )

    def close(self) -> None:
        """See ``Way.close``."""
        self.calls.__exit__()
