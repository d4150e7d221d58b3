"""policies.py: time limits and attempts of each activity, with Celery's words beside them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.emit.files import Source
from offcanvas.port.emit.limits import words
from offcanvas.port.ir import NO_OPTIONS, Options
from offcanvas.port.policy import Policy

if TYPE_CHECKING:
    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.ir import Place
    from offcanvas.port.script import Step, StepCall

#: Seconds by which Temporal's limit is later than that of the step's process.
LATER: Final = 30
_UNLIMITED: Final = """\
# DECIDE(PORT110): Celery had no time limit here and Temporal must have one. An hour is a guess.
UNLIMITED = timedelta(hours=1)"""
_ONCE: Final = """\
# No retries in Celery. Temporal's default is to try for ever: raise it once the step is idempotent.
ONCE = ActivityConfig(
    start_to_close_timeout=UNLIMITED, retry_policy=RetryPolicy(maximum_attempts=1)
)"""
_TIMED_OUT: Final = """\
# A hard time limit ends a Celery task for good; Temporal would try again after its timeout.
NOT_AFTER_TIMEOUT = ["TemporalTimeout:StartToClose"]"""
_READ: Final = """\
# A read: safe to repeat.
READ = ActivityConfig(start_to_close_timeout=timedelta(minutes=1))"""


@dataclass
class Policies:
    """The policies of a port by what they say, made as they are asked for."""

    parts: Parts
    held: frozenset[str] = frozenset()
    """Steps whose time limits a process holds."""
    names: dict[str, str] = field(default_factory=dict)
    """Source of a policy -> the name it has."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Executions at the most by the name of a policy; 0 for no limit."""
    queues: set[str] = field(default_factory=set)
    beats: bool = False
    source: Source = field(
        default_factory=lambda: Source(
            "Time limits and attempts of each activity. The comments are what Celery was told.",
            {
                "from datetime import timedelta",
                "from temporalio.common import RetryPolicy",
                "from temporalio.workflow import ActivityConfig",
            },
        )
    )
    _said: set[tuple[str, str, str]] = field(default_factory=set)
    _unlimited: bool = False
    _timed_out: bool = False

    def of(self, step: Step, call: StepCall) -> str:
        """The name of the policy for a call of a step."""
        if step.kind == "load":
            if step.load is not None and step.load.repeatable:
                return self._fixed("READ", _READ)
            return self._once(call.place)
        if step.task is None:
            raise TypeError(f"{step.name} is not a task")
        policy = step.task.policy
        if step.kind in {"map", "starmap"}:
            # A task that is called in a loop is a plain function: neither its retries nor its
            # limits hold (celery.map, celery.starmap are tasks of their own).
            policy = Policy()
        elif step.kind == "errback":
            # Celery calls it where the task has failed, and none of its options hold.
            policy = replace(
                policy, retries=None, acks_late=False, time_limit=None, soft_time_limit=None
            )
        held = step.name in self.held
        policy, said_ = self._with(policy, call.options)
        body, _ = self._written(policy, call.place, step.task.name, held=held)
        decisions = self._decisions(policy, call.place, step.task.name, held=held)
        if body == _PLAIN:
            return self._once(call.place)
        if body in self.names:
            return self.names[body]
        name = naming.unused(naming.upper(step.name), self.names.values())
        self.names[body] = name
        self.attempts[name] = _attempts(policy)
        said = ", ".join(word for word in (policy.words(), said_) if word)
        comments = [f"# {said}"] if said else []
        comments += decisions
        self.source.add("\n".join([*comments, f"{name} = ActivityConfig({body})"]))
        return name

    def _once(self, place: Place) -> str:
        self._limit(place)
        self.attempts["ONCE"] = 1
        return self._fixed("ONCE", _ONCE)

    def _fixed(self, name: str, text: str) -> str:
        if name not in self.names.values():
            self.names[text] = name
            self.source.add(text)
        return name

    def _limit(self, place: Place) -> None:
        if not self._unlimited:
            self._unlimited = True
            self.parts.note("PORT110", place, "no time limit in Celery: an hour is emitted")
            self.source.parts.insert(0, _UNLIMITED)

    def _with(self, policy: Policy, options: Options) -> tuple[Policy, str]:
        """The policy with the options of one signature, and those options as they were written."""
        if options == NO_OPTIONS:
            return policy, ""
        told: list[str] = []
        for name in ("time_limit", "soft_time_limit", "expires"):
            given = getattr(options, name)
            if given:
                value = _number(given)
                told.append(f"{name}={given}")
                policy = replace(policy, **{name: value})  # type: ignore[arg-type]  # a number
        if options.queue:
            told.append(f"queue={options.queue}")
            policy = replace(policy, queue=str(_literal(options.queue)))
        if options.priority:
            told.append(f"priority={options.priority}")
            policy = replace(policy, priority=int(_number(options.priority) or 0))
        return policy, ", ".join(told)

    def _written(self, policy: Policy, place: Place, about: str, *, held: bool) -> tuple[str, str]:
        limit = policy.time_limit if held else policy.time_limit or policy.soft_time_limit
        if limit is None:
            self._limit(place)
            timeout = "UNLIMITED"
        else:
            timeout = _delta(limit + (LATER if held else 0))
        lines = [f"start_to_close_timeout={timeout}"]
        if policy.expires is not None:
            lines.append(f"schedule_to_start_timeout={_delta(policy.expires)}")
        if policy.acks_late:
            lines.append(f"heartbeat_timeout={_delta(30)}")
            self.beats = True
        retry = _retry_policy(policy)
        if "NOT_AFTER_TIMEOUT" in retry and not self._timed_out:
            self._timed_out = True
            self.source.parts.insert(0, _TIMED_OUT)
        lines.append(f"retry_policy={retry}")
        if policy.queue:
            lines.append(f"task_queue={policy.queue!r}")
            self.queues.add(policy.queue)
        return ", ".join(lines), about

    def _decisions(self, policy: Policy, place: Place, about: str, *, held: bool) -> list[str]:
        found: list[tuple[str, str]] = []
        retries = policy.retries
        if retries is not None and retries.jitter:
            found.append(("PORT111", "each wait was drawn between 0 and these"))
        if policy.acks_late:
            found.append(("PORT112", "again when its worker is lost, not when it fails"))
        if policy.time_limit or policy.soft_time_limit:
            found.append(words(policy, held=held))
        if policy.expires is not None:
            found.append(("PORT114", "expired tasks were revoked; here they fail"))
        if policy.queue:
            found.append(("PORT115", f"the worker serves the queue {policy.queue!r} too"))
        if policy.priority is not None:
            found.append(("PORT116", f"priority={policy.priority} is not emitted"))
        if policy.rate_limit:
            found.append(("PORT117", f"rate_limit={policy.rate_limit!r} is not emitted"))
        if retries is not None and retries.limit is None:
            found.append(("PORT118", "tried until it succeeds"))
        for code, what in found:
            if (about, code, what) not in self._said:
                self._said.add((about, code, what))
                self.parts.note(code, place, f"{about}: {what}", about)
        return [f"# DECIDE({code}): {what}." for code, what in found]


_PLAIN: Final = "start_to_close_timeout=UNLIMITED, retry_policy=RetryPolicy(maximum_attempts=1)"


def _attempts(policy: Policy) -> int:
    """How often a step is executed at the most; 0 for no limit."""
    if policy.retries is not None:
        return policy.retries.attempts
    return 0 if policy.acks_late else 1


def _retry_policy(policy: Policy) -> str:
    retries = policy.retries
    if retries is None:
        if not policy.acks_late:
            return "RetryPolicy(maximum_attempts=1)"
        return "RetryPolicy(non_retryable_error_types=NOT_AFTER_TIMEOUT)"
    said = [f"initial_interval={_delta(retries.first) if retries.first else _NO_WAIT}"]
    if retries.factor != 2.0:
        said.append(f"backoff_coefficient={_plain(max(retries.factor, 1.0))}")
    waits = retries.delays()
    if retries.cap is not None and any(wait >= retries.cap for wait in waits):
        said.append(f"maximum_interval={_delta(retries.cap)}")
    elif retries.cap is None and waits and max(waits) > 100 * (retries.first or 0.001):
        # Temporal's own cap is a hundred times the first wait.
        said.append(f"maximum_interval={_delta(max(waits))}")
    if retries.attempts:
        said.append(f"maximum_attempts={retries.attempts}")
    if retries.attempts != 1 and not _retries_a_soft_limit(policy):
        said.append("non_retryable_error_types=NOT_AFTER_TIMEOUT")
    return f"RetryPolicy({', '.join(said)})"


def _retries_a_soft_limit(policy: Policy) -> bool:
    """Whether what Celery raises in the body at its soft limit is an error that is tried again."""
    on = policy.retries.on if policy.retries is not None else ()
    caught = {"Exception", "SoftTimeLimitExceeded", "celery.exceptions.SoftTimeLimitExceeded"}
    return policy.time_limit is None and policy.soft_time_limit is not None and bool({*on} & caught)


_NO_WAIT: Final = "timedelta(milliseconds=1)"


def _delta(seconds: float) -> str:
    return f"timedelta(seconds={_plain(seconds)})"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except ValueError:
        return text


def _number(text: str) -> float | None:
    value = _literal(text)
    return float(value) if isinstance(value, int | float) else None
