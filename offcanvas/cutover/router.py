"""The router: where Celery would send a root, the rules decide which way it goes."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery._state import get_current_worker_task
from kombu.utils.uuid import uuid

from offcanvas.celery_app.seam import DECLINED, open_route
from offcanvas.cutover import roots
from offcanvas.cutover.beat import name_firings
from offcanvas.cutover.begun import unwatch, watch
from offcanvas.cutover.calls import Call, dump
from offcanvas.cutover.claims import Claim, Claims
from offcanvas.cutover.committing import (
    Joined,
    joined,
    send_django_tasks_in_transactions,
)
from offcanvas.cutover.decision import CELERY, as_text, engine_for, id_of
from offcanvas.cutover.errors import ClaimsUnavailable, SendUnsure
from offcanvas.cutover.live import LiveRules
from offcanvas.cutover.notes import Notes
from offcanvas.cutover.rules import PORT, Rule, Rules
from offcanvas.cutover.stores import is_django, open_claims
from offcanvas.cutover.ways.base import Ready, Refused, Way
from offcanvas.cutover.ways.celery import CeleryWay, as_ever, is_left_to_celery
from offcanvas.engines.processes.process import runs_tasks
from offcanvas.errors import OffcanvasError, UsageError

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)


class CutOver:
    """An open router; ``close()`` takes it back. See ``cut_over``."""

    #: Asked for roots only: what a task sends goes with the task (``celery_app.seam``).
    roots_only = True

    def __init__(
        self,
        app: Celery,
        rules: LiveRules,
        session: Callable[[], Any] | None = None,
    ) -> None:
        self.app = app
        self.live = rules
        self.session = session
        self.notes = Notes(lambda: self.claims)
        self._claims: dict[str, Claims] = {}
        self._ways: dict[tuple[Any, ...], Way] = {}
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._undo: Callable[[], None] | None = None

    def open(self) -> None:
        """From now on the rules decide."""
        self._undo = open_route(self.app, self)
        watch(self)
        name_firings()
        send_django_tasks_in_transactions()
        atexit.register(self.close)

    def close(self) -> None:
        """From now on Celery does everything, as before."""
        if self._undo is not None:
            atexit.unregister(self.close)
            self._undo()
            self._undo = None
            unwatch(self)
        self.notes.close()
        if self._pid == os.getpid():
            for way in self._ways.values():
                way.close()
            for claims in self._claims.values():
                claims.close()
        self._ways, self._claims = {}, {}

    @property
    def claims(self) -> Claims:
        """The claims that the rules name."""
        self._after_fork()
        address = self.live.now.claims
        with self._lock:
            if address not in self._claims:
                self._claims[address] = open_claims(address)
            return self._claims[address]

    def way(self, engine: str, rule: Rule | None) -> Way:
        """The way to an engine, as the rule has it."""
        self._after_fork()
        port = rule is not None and rule.runs == PORT and engine == rule.to
        name: tuple[Any, ...] = (engine,)
        if port and rule is not None:
            name = (engine, rule.root, rule.workflow, rule.task_queue, rule.deployment, rule.input)
        with self._lock:
            if name not in self._ways:
                self._ways[name] = open_way(self.app, engine, rule if port else None)
            return self._ways[name]

    def _after_fork(self) -> None:
        # Connections belong to the process that has opened them.
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.RLock()
            self._ways, self._claims = {}, {}

    # -- what the seam calls

    def leaves(self, name: str) -> bool:
        """Whether calls of this task are none of this route's business; see ``seam.Route``."""
        if is_left_to_celery():
            return True
        if roots.is_inside():
            return False
        rule = self.live.now.roots.get(name)
        return rule is None or (rule.percent == 0 and rule.is_settled(time.time()))

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Decide, claim, send; see ``seam.Route``."""
        if is_left_to_celery():
            return DECLINED
        rules = self.live.now
        name, given = roots.root_of(signature)
        rule = rules.roots.get(name)
        lone = signature.get("subtask_type") is None
        if rule is None and not lone:
            roots.wrap_all(rules.roots)  # a module may have got its functions since
        if rule is None or (rule.percent == 0 and rule.is_settled(time.time())):
            # Inside of a canvas Celery's own code sends tasks, which are no roots.
            return DECLINED if lone else as_ever(self.app, signature, args, kwargs, options)
        if given is None:
            given = roots.arguments(self.app, signature)
        own = options.get("task_id") or signature.get("options", {}).get("task_id")
        task_id = own or id_of(rule, given) or uuid()
        call = Call(signature, args, kwargs, {**options, "task_id": task_id}, given)
        if rule.is_settled(time.time()):
            return self._unclaimed(rule.to, rule, call)
        engine = engine_for(rule, rules.salt, given, task_id)
        claim = Claim(
            task_id,
            rule.root,
            engine,
            key=task_id if rule.key is None else as_text(given.get(rule.key)),
            version=rules.version,
            call=dump(call),
        )
        repeated = bool(own or rule.id)
        return self._claimed(rules, rule, call, claim, repeated)

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Everywhere, as only the claims know where each is; see ``seam.Route``."""
        these = list(ids)
        self.way(CELERY, None).revoke(these, terminate=terminate)
        for rule in self.live.now.roots.values():
            if rule.percent > 0 or rule.on or not rule.is_settled(time.time()):
                try:
                    self.way(rule.to, rule).revoke(these, terminate=terminate)
                except OffcanvasError as error:
                    log.warning("%s is not told of the revoke of %s: %s", rule.to, these, error)

    def replace(self, task: Any, signature: Any) -> None:
        """Tasks are replaced where they run, and there this route is not asked."""
        raise RuntimeError(f"{task.name} runs outside of a worker; self.replace cannot be routed")

    def joins_transactions(self, name: str) -> bool:
        """Whether calls of this task are claimed in Django's transaction and sent on commit."""
        rules = self.live.now
        rule = rules.roots.get(name)
        return (
            is_django(rules.claims)
            and rule is not None
            and not rule.is_settled(time.time())
            and get_current_worker_task() is None
        )

    # -- sending

    def _unclaimed(self, engine: str, rule: Rule, call: Call) -> Any:
        ready = self.way(engine, rule).ready(call)
        try:
            ready.send()
        except Refused as refused:
            raise refused.cause from refused
        return ready.result

    def _claimed(self, rules: Rules, rule: Rule, call: Call, claim: Claim, repeated: bool) -> Any:
        transaction = joined(rules.claims, self.session)
        # Looked at before the claim: what cannot be sent leaves none.
        ready = self._ready(rules, rule, call, claim, repeated)
        try:
            first = self.claims.claim(claim, transaction.within if transaction else None)
        except ClaimsUnavailable as error:
            if rules.down == "celery" and error.sure and not repeated and transaction is None:
                log.warning("%s goes to Celery without a claim: %s", rule.root, error)
                return as_ever(self.app, call.signature, call.args, call.kwargs, call.options)
            raise
        if first is not None:
            if first.root != claim.root:
                raise UsageError(
                    f"the id {claim.id} is claimed by {first.root} already, and is now given to "
                    f"{claim.root}; nothing was sent"
                )
            if first.engine != claim.engine or ready is None:
                ready = self.way(first.engine, rule).ready(call)
            claim = first
        assert ready is not None  # noqa: S101  # only a claim that is there already has none
        if claim.sent is not None or claim.ended is not None:
            return ready.result
        if transaction is not None:
            transaction.after(lambda: self._after_commit(claim, ready, transaction))
            return ready.result
        self.send(claim, ready)
        return ready.result

    def _ready(
        self, rules: Rules, rule: Rule, call: Call, claim: Claim, repeated: bool
    ) -> Ready | None:
        try:
            return self.way(claim.engine, rule).ready(call)
        except OffcanvasError:
            # It may have been claimed for the other side before, which can take it.
            if repeated and (found := self.claims.get(claim.id)) and found.engine != claim.engine:
                return None
            raise

    def _after_commit(self, claim: Claim, ready: Ready, transaction: Joined) -> None:
        """Send what was committed; whatever fails now is for the sweep, not for the caller."""
        try:
            if not transaction.sure and self.claims.get(claim.id) is None:
                return  # its savepoint was rolled back
            self.send(claim, ready)
        except Exception as error:  # the caller's work is committed, and so is the claim
            log.warning("the sweep will send %s (%s): %s", claim.id, claim.root, error)

    def send(self, claim: Claim, ready: Ready) -> None:
        """Send what is claimed, and note it.

        Raises:
            SendUnsure: an engine may have it or not; the claim stays, and the sweep sends it.
            Exception: what the engine refuses for good; the claim is taken back.
        """
        try:
            ready.send()
        except Refused as refused:
            self.claims.withdraw(claim.id)
            raise refused.cause from refused
        except OffcanvasError as error:
            raise SendUnsure(claim.id, claim.engine, str(error)) from error
        except Exception as error:
            error.add_note(
                f"offcanvas: the order {claim.id} is claimed; the sweep sends it if this has not"
            )
            raise
        self.notes.add(claim.id)


def open_way(app: Celery, engine: str, port: Rule | None) -> Way:
    """The way to an engine: by the kit, or to the port that a rule names."""
    if engine == CELERY:
        return CeleryWay(app)
    if port is None:
        from offcanvas.cutover.ways.kit import KitWay

        return KitWay(app, engine)
    if engine == "temporal":
        from offcanvas.cutover.ways.temporal import TemporalPort

        return TemporalPort(app, port)
    from offcanvas.cutover.ways.prefect import PrefectPort

    return PrefectPort(app, port)


def cut_over(app: Celery, file: str | Path, *, session: Callable[[], Any] | None = None) -> CutOver:
    """From now on the rules in ``file`` decide which roots of ``app`` go to which engine.

    To be called once, where the app is made, in every process: those that send, and Celery's
    workers, in which claims see to it that a message that was sent twice runs once. In the workers
    of an engine it does nothing, as what a root starts follows it.

    Args:
        app: the Celery app.
        file: the rules, TOML; read again when it changes.
        session: where claims are in a database of SQLAlchemy's, a function that gives the session
            of the caller: a claim is then part of its transaction, and sent on commit.

    Raises:
        UsageError: the file cannot be read, or says what no rule can say.
    """
    live = LiveRules(Path(file), lambda rules: roots.wrap_all(rules.roots))
    router = CutOver(app, live, session)
    app.on_after_finalize.connect(lambda **_: roots.wrap_all(live.now.roots), weak=False)
    if not runs_tasks():
        router.open()
    return router


def check_roots(app: Celery, rules: Rules, name: str) -> None:
    """See that every rule speaks of a root that is there, and of its parameters.

    Raises:
        UsageError: one does not.
    """
    for rule in rules.roots.values():
        where = f'{name}: [root."{rule.root}"]'
        known = roots.parameters(roots.find(app, rule.root, where))
        asked = [rule.key, rule.tenant, *rule.id]
        for parameter in asked:
            if parameter is not None and parameter not in known:
                raise UsageError(
                    f"{where}: key {parameter!r} is not a parameter of {rule.root}; it has "
                    f"{', '.join(known) or 'none'}"
                )
