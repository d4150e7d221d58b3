"""The way to an engine on which the kit runs the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offcanvas.canvas.calls import Branch, Context
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission
from offcanvas.celery_app.shared_results import require_shared_results
from offcanvas.cutover.calls import Call
from offcanvas.cutover.claims import Claim
from offcanvas.cutover.ways.base import Ended, Ready, Refused, Server
from offcanvas.cutover.ways.celery import ended_in_backend
from offcanvas.engines.prepare import plan_for, warn_of
from offcanvas.engines.registry import engine, load, spec_of
from offcanvas.errors import EngineUnavailable, UsageError

if TYPE_CHECKING:
    from celery import Celery


class KitWay:
    """See ``base.Way``."""

    def __init__(self, app: Celery, name: str) -> None:
        require_shared_results(app)
        spec = spec_of(name)
        self.app = app
        self.engine = engine(name)
        self.target: Any = load(spec, spec.target)(app, once=True)
        self.server: Server = _SERVERS[name](self.target)

    def ready(self, call: Call) -> Ready:
        """See ``Way.ready``."""
        self.server.require_taker()
        submission = Submission(self.app, call.signature, call.args, call.kwargs, call.options)
        planned = plan_for(self.engine, submission, allow_unregistered=True)
        warn_of(planned)
        prepared = sent(self.app, freeze(planned))

        def send() -> None:
            if prepared.plan is None:  # an empty chain, which Celery does not run either
                return
            place = Context(call.options.get("root_id"), call.options.get("parent_id"))
            try:
                self.target.start(Branch(prepared.plan, context=place))
            except UsageError as error:  # more than the server takes
                raise Refused(error) from error
            except EngineUnavailable as error:
                if self.server.is_refusal(error.__cause__):
                    raise Refused(error) from error
                raise

        return Ready(prepared.result, send)

    def ended(self, claim: Claim) -> Ended | None:
        """See ``Way.ended``; by the stored result, or by the engine where none is kept."""
        return ended_in_backend(self.app, claim.id) or self.server.ended(claim.id, read=False)

    def cut_short(self, claim: Claim) -> bool:
        """See ``Way.cut_short``."""
        return self.server.cut_short(claim.id)

    def look(self) -> list[str]:
        """See ``Way.look``."""
        return self.server.look()

    def revoke(self, ids: list[str], *, terminate: bool) -> None:
        """See ``Way.revoke``."""
        self.target.revoke(ids, terminate=terminate)

    def close(self) -> None:
        """See ``Way.close``."""
        self.target.close()


def _temporal(target: Any) -> Server:
    from offcanvas.cutover.ways.temporal import TemporalServer

    return TemporalServer(target.calls, target.calls.task_queue)


def _prefect(target: Any) -> Server:
    from offcanvas.cutover.ways.prefect import PrefectServer
    from offcanvas.engines.prefect.job import FLOW

    return PrefectServer(target.calls, f"{FLOW}/{target.calls.deployment}")


_SERVERS = {"temporal": _temporal, "prefect": _prefect}
