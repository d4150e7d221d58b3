"""The rule file: which share of each root's traffic goes where.

[cutover]
claims = "postgresql+psycopg://shop@db/shop"   # or redis://..., django, $VARIABLE
when_claims_are_down = "fail"                   # or "celery"

[root."shop.tasks:nightly"]                     # a function that makes a canvas, or a task
to = "temporal"
percent = 10
key = "day"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

from offcanvas.errors import UsageError

#: Engines that a live app can be moved to.
ENGINES = ("temporal", "prefect")
#: Who runs a root there: the kit, or a workflow or a deployment that stands for itself.
KIT, PORT = "kit", "port"
_NUMBER = (int, float)


@dataclass(frozen=True, slots=True)
class Guard:
    """When a root is rolled back by itself; compared are runs that ended in the same time.

    Attributes:
        failures: by how much the share of failures may be above Celery's, 0 to 1.
        p95: how many times Celery's 95th percentile of the time to the end is allowed.
        runs: how many ended runs each side needs before it is judged.
        within: seconds that are looked back.
    """

    failures: float | None = None
    p95: float | None = None
    runs: int = 50
    within: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to happen to one root; see docs/cutover.md for each field.

    Attributes:
        root: its name: that of a task, or ``module:function`` of what makes a canvas.
        to: the engine.
        runs: KIT or PORT; ``as`` in the file.
        percent: the share of keys that goes there.
        key: the parameter whose value decides; None for the task's id.
        on, off: values of ``tenant`` that always go there, or never.
        tenant: the parameter that ``on`` and ``off`` look at; ``key`` unless given.
        id: parameters that make one order of work: the same values are the same task id.
        workflow, task_queue: of the port on Temporal.
        deployment: of the port on Prefect, ``flow/deployment``.
        input: "one" if the workflow takes one object of all parameters, "args" if one by one.
        restartable: work in flight may be begun again on Celery when it is rolled back.
        claims: claim also at 0 and 100 per cent; for callers that repeat ids over a change.
        settle: seconds after a change during which claims are made at 0 and 100 per cent as well.
        since: when the percentage was last changed, in seconds since the epoch.
        guard: see Guard; None for none.
        stopped: why it was rolled back, if it was.
    """

    root: str
    to: str
    runs: str = KIT
    percent: float = 0.0
    key: str | None = None
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    tenant: str | None = None
    id: tuple[str, ...] = ()
    workflow: str | None = None
    task_queue: str | None = None
    deployment: str | None = None
    input: str = "one"
    restartable: bool = False
    claims: bool = False
    settle: float = 3_600.0
    since: float = 0.0
    guard: Guard | None = None
    stopped: str | None = None

    def is_settled(self, now: float) -> bool:
        """Whether all traffic goes one way, and has done so for long enough to forget claims."""
        if self.claims or self.on or (self.off and self.percent > 0):
            return False
        return self.percent in {0, 100} and now - self.since > self.settle


@dataclass(frozen=True, slots=True)
class Rules:
    """All of a rule file.

    Attributes:
        roots: a rule for each root that is named.
        claims: the address of the claims; empty if the file has none.
        down: what happens to a call when the claims are down: "fail" or "celery".
        salt: changes which keys are the first to go.
        version: of the file's text, short; claims carry it.
    """

    roots: Mapping[str, Rule] = field(default_factory=dict)
    claims: str = ""
    down: str = "fail"
    salt: str = ""
    version: str = ""


def parse(text: str, name: str = "the rule file") -> Rules:
    """The rules in a TOML text.

    Raises:
        UsageError: it is not TOML, or says what no rule can say.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        if "twice" in said or "overwrite" in said:
            raise UsageError(f"{name}: two rules for one root, or one word twice: {said}") from None
        raise UsageError(f"{name}: is not TOML: {said}") from None
    _known(raw, {"cutover", "root"}, name)
    head = _table(raw.get("cutover", {}), f"{name}: [cutover]")
    _known(head, {"claims", "when_claims_are_down", "salt"}, f"{name}: [cutover]")
    down = head.get("when_claims_are_down", "fail")
    if down not in {"fail", "celery"}:
        raise UsageError(f'{name}: when_claims_are_down = {down!r}: write "fail" or "celery"')
    tables = _table(raw.get("root", {}), f"{name}: [root]")
    roots: dict[str, Rule] = {}
    for root, table in tables.items():
        where = f'{name}: [root."{root}"]'
        roots[root] = _rule(root, _table(table, where), where)
    claims = _address(_text(head, "claims", name) or "", name)
    if roots and not claims:
        raise UsageError(
            f'{name}: [cutover] has no claims = "...": name a database, a Redis, or "django"'
        )
    version = sha256(text.encode()).hexdigest()[:8]
    return Rules(roots, claims, down, _text(head, "salt", name) or "", version)


def _address(given: str, name: str) -> str:
    if not given.startswith("$"):
        return given
    found = os.environ.get(given[1:])
    if not found:
        raise UsageError(f"{name}: claims = {given!r}: the variable {given[1:]} is not set")
    return found


def _rule(root: str, given: Mapping[str, Any], where: str) -> Rule:
    names = {one.name for one in fields(Rule)} - {"root", "runs"} | {"as"}
    _known(given, names, where)
    to = given.get("to")
    if to not in ENGINES:
        raise UsageError(f"{where}: to = {to!r}: write {' or '.join(map(repr, ENGINES))}")
    runs = given.get("as", KIT)
    if runs not in {KIT, PORT}:
        raise UsageError(f'{where}: as = {runs!r}: write "kit" or "port"')
    for names_a_port, engine in (("workflow", "temporal"), ("deployment", "prefect")):
        if names_a_port in given and (runs, to) != (PORT, engine):
            raise UsageError(f'{where}: {names_a_port} is for to = "{engine}" with as = "port"')
    percent = given.get("percent", 0)
    if isinstance(percent, bool) or not isinstance(percent, _NUMBER) or not 0 <= percent <= 100:
        raise UsageError(f"{where}: percent = {percent!r}: write a number from 0 to 100")
    shape = given.get("input", "one")
    if shape not in {"one", "args"}:
        raise UsageError(f'{where}: input = {shape!r}: write "one" or "args"')
    rule = Rule(
        root=root,
        to=to,
        runs=runs,
        percent=float(percent),
        key=_text(given, "key", where),
        on=_texts(given, "on", where),
        off=_texts(given, "off", where),
        tenant=_text(given, "tenant", where),
        id=_texts(given, "id", where),
        workflow=_text(given, "workflow", where),
        task_queue=_text(given, "task_queue", where),
        deployment=_text(given, "deployment", where),
        input=shape,
        restartable=_flag(given, "restartable", where),
        claims=_flag(given, "claims", where),
        settle=_seconds(given, "settle", 3_600.0, where),
        since=_seconds(given, "since", 0.0, where),
        guard=_guard(given.get("guard"), where),
        stopped=_text(given, "stopped", where),
    )
    both = set(rule.on) & set(rule.off)
    if both:
        raise UsageError(f"{where}: {', '.join(sorted(both))} stands in on and in off")
    if (rule.on or rule.off) and not (rule.tenant or rule.key):
        raise UsageError(f"{where}: on and off need key or tenant, the parameter they look at")
    return rule


def _guard(given: Any, where: str) -> Guard | None:
    if given is None:
        return None
    table = _table(given, f"{where}: guard")
    _known(table, {one.name for one in fields(Guard)}, f"{where}: guard")
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, _NUMBER) or value < 0:
            raise UsageError(f"{where}: guard: {name} = {value!r}: write a number")
    made = Guard(**table)
    if made.failures is None and made.p95 is None:
        raise UsageError(f"{where}: guard needs failures or p95")
    return made


def _known(given: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}"
            raise UsageError(f"{where}: {name} is not known; {hint}")


def _table(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: has to be a table")
    return given


def _text(given: Mapping[str, Any], name: str, where: str) -> str | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise UsageError(f"{where}: {name} = {value!r}: write a text")
    return value


def _texts(given: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = given.get(name, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str | int) for one in listed):
        raise UsageError(f"{where}: {name} = {value!r}: write a list of texts")
    return tuple(map(str, listed))


def _flag(given: Mapping[str, Any], name: str, where: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"{where}: {name} = {value!r}: write true or false")
    return value


def _seconds(given: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, _NUMBER) or value < 0:
        raise UsageError(f"{where}: {name} = {value!r}: write a number of seconds")
    return float(value)
