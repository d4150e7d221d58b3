"""tasks.py: one task for each step, with Celery's words beside what they became."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.emit.files import Source
from offcanvas.port.emit.limits import limits_of
from offcanvas.port.emit.limits import words as limit_words
from offcanvas.port.emit.printing import comment, some_of
from offcanvas.port.emit.steps import asked_again, errors_of, inside, module_of, place_of, rows_of
from offcanvas.port.ir import NO_OPTIONS, Options, Param
from offcanvas.port.policy import Policy, Retries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offcanvas.audit.module import Module
    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.emit.steps import Errors, Limits
    from offcanvas.port.ir import Canvas, Row
    from offcanvas.port.script import Step, StepCall

#: Names that tasks.py imports for itself.
_OWN: Final = frozenset(
    {"Again", "Any", "STEP", "TaskRunTimeoutError", "asked_again", "attempt", "dataclass"}
    | {"expires", "packed", "rate_limit", "retried_on", "task", "task_run", "unpacked"}
)
#: Prefect takes no longer list of delays, and goes on with the last of them.
DELAYS: Final = 50
_ATTEMPTS: Final = "task_run.run_count - 1"
_ID: Final = "str(task_run.id)"
_WINDOWS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass
class Tasks:
    """The tasks of a port; a signature with options of its own gets a task of its own.

    options: what is to be in options.py. limits: starts a second by the name of a rate limit.
    """

    parts: Parts
    package: str
    steps: Sequence[Step]
    calls: Sequence[StepCall]
    canvases: Sequence[Canvas] = ()
    options: set[str] = field(default_factory=lambda: {"STEP"})
    limits: dict[str, float] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    """Further attempts by the name of a task of Celery's."""
    rows: set[str] = field(default_factory=set)
    _variants: dict[tuple[str, Options], str] = field(default_factory=dict)
    _texts: list[str] = field(default_factory=list)
    source: Source = field(init=False)

    def __post_init__(self) -> None:
        """A task for each step and each set of options that it is called with."""
        modules = [module_of(self.parts, step) for step in self.steps]
        works = [self.parts.bodies.work_of(module) for module in modules]
        self.source = Source(
            f"The steps. What they do is in {some_of(sorted({work.path for work in works}))}; the "
            "comments are what Celery was told.",
            {"from prefect import task"},
        )
        for step in self.steps:
            self._rows(rows_of(step.load), module_of(self.parts, step))
        for canvas in self.canvases:
            self._rows(canvas.rows, self.parts.module(canvas.place.path))
        calls = [(call.step, _kept(call.options)) for call in self.calls]
        taken = {*_OWN, *(work.module.rpartition(".")[2] for work in works)}
        own = {step.task.function for step in self.steps if step.task is not None}
        taken |= {name for module in modules for name in module.facts.imports if name not in own}
        for step in self.steps:
            found = list(dict.fromkeys(given for name, given in calls if name == step.name))
            for given in sorted(found, key=lambda one: one != NO_OPTIONS):
                apart = given != NO_OPTIONS and len(found) > 1
                name = f"{step.name}_{_kind(given)}" if apart else step.name
                name = naming.unused(name, taken)
                taken.add(name)
                self._variants[step.name, given] = name
                self._texts.append(self._task(step, name, given))

    def of(self, step: Step, call: StepCall) -> str:
        """The name of the task for a call of a step."""
        return self._variants[step.name, _kept(call.options)]

    def returns(self, step: Step) -> str:
        """The type of a step's result as tasks.py has it."""
        return self.annotation(step.returns, module_of(self.parts, step))[0]

    def text(self) -> str:
        """The module."""
        for text in self._texts:
            self.source.add(text)
        names = ", ".join(sorted(self.options - {"logged", "sleep_until"}))
        self.source.imports.add(f"from {self.package}.options import {names}")
        return self.source.text()

    def annotation(self, annotation: str, module: Module) -> tuple[str, set[str]]:
        """A type as tasks.py may write it, and its imports."""
        if annotation.removesuffix(" | None") in self.rows or annotation[5:-1] in self.rows:
            return annotation, set()
        return self.parts.types.spelled(annotation, module)

    def _rows(self, rows: Sequence[Row], module: Module) -> None:
        for row in rows:
            if row.name in self.rows:
                continue
            self.rows.add(row.name)
            self.source.imports.add("from dataclasses import dataclass")
            lines = ["@dataclass(frozen=True)", f"class {row.name}:", f'    """{row.doc}"""', ""]
            for one in row.fields:
                said = f" = {one.default}" if one.default else ""
                lines.append(f"    {one.name}: {self._of_module(one.type, module)}{said}")
            self.source.add("\n".join(lines))

    def _type(self, annotation: str, step: Step) -> str:
        return self._of_module(annotation, module_of(self.parts, step))

    def _of_module(self, annotation: str, module: Module) -> str:
        type_, imports = self.annotation(annotation, module)
        self.source.imports |= imports
        return type_

    # -- one task

    def _task(self, step: Step, name: str, given: Options) -> str:
        returns = self._type(step.returns, step)
        head = f"def {name}({', '.join(self._listed(step))}) -> {returns}:"
        doc = step.task.doc.splitlines()[0].strip() if step.task and step.task.doc else ""
        about = [f'    """{doc}"""'] if doc else []
        policy, words = self._policy(step, given)
        limits = limits_of(self.parts, step, policy)
        found = inside(self.parts, step, returns, "", _ATTEMPTS, _ID, limits)
        if found.code:
            lines = comment(f"TODO({found.code}): {found.why}")
            lines.append(f"raise NotImplementedError({f'{found.code}: {found.why}'!r})")
            return "\n".join(["@task(**STEP)", head, *about, *(f"    {line}" for line in lines)])
        self.source.imports |= found.imports
        said_ = " ".join([*found.before, found.text])
        if "as_asked(" in said_:
            self.options.add("as_asked")
            what = "what the next attempt is given is kept in the process of the task run"
            about_ = step.task.name if step.task is not None else name
            self.parts.note("PORT151", place_of(step), f"{about_}: {what}", about_)
        if _ATTEMPTS in said_ or _ID in said_:
            self.source.imports.add("from prefect.runtime import task_run")
        comments, options, decorators, first = self._told(step, name, policy, words, given, limits)
        if step.load is not None and step.load.repeatable:
            # Said beside the decorator, as there is nothing of Celery's to say above it.
            decorator = "@task(**STEP, retries=3, retry_delay_seconds=1)  # a read: safe to repeat"
        else:
            decorator = f"@task({', '.join(['**STEP', *options])})"
            said = [one for one in options if one.startswith("retries=")]
            self.retries[name] = int(said[0].partition("=")[2]) if said else 0
        result = found.text if returns == "None" else f"return {found.text}"
        body = [f"    {line}" for line in (*first, *found.before, result)]
        return "\n".join([*comments, decorator, *decorators, head, *about, *body])

    def _listed(self, step: Step) -> list[str]:
        shown: list[str] = []
        star = any(p.kind == "args" for p in step.params)
        for param in step.params:
            stars = {"args": "*", "kwargs": "**"}.get(param.kind, "")
            if param.kind == "keyword" and not star:
                shown.append("*")
                star = True
            default = self._default(param, step)
            type_ = self._type("Any" if param.default and not default else param.annotation, step)
            if param.default:
                default = (
                    default or "None"
                )  # it needs what only Celery's side has, as the body does
            said = f" = {default}" if default else ""
            shown.append(f"{stars}{param.name}: {type_}{said}")
        return shown

    def _default(self, param: Param, step: Step) -> str:
        if not param.default:
            return ""
        found = self.parts.reference(param.default, module_of(self.parts, step), frozenset())
        if found.missing:
            return ""
        self.source.imports |= found.imports
        return found.text

    def _policy(self, step: Step, given: Options) -> tuple[Policy, str]:
        """What holds for a step, and the options of its signature as they were written."""
        if step.task is None:
            return Policy(), ""
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
        told: list[str] = []
        for word in ("time_limit", "soft_time_limit", "expires"):
            text = getattr(given, word)
            if text:
                told.append(f"{word}={text}")
                policy = replace(policy, **{word: _number(text)})  # type: ignore[arg-type]  # a number
        if given.queue:
            told.append(f"queue={given.queue}")
            policy = replace(policy, queue=given.queue.strip("'\""))
        if given.priority:
            told.append(f"priority={given.priority}")
            policy = replace(policy, priority=int(_number(given.priority) or 0))
        return policy, f".set({', '.join(told)})" if told else ""

    def _told(
        self,
        step: Step,
        name: str,
        policy: Policy,
        words: str,
        given: Options,
        limits: Limits | None,
    ) -> tuple[list[str], list[str], list[str], list[str]]:
        """Comments, options of ``task``, decorators below it, and statements before the body."""
        said = ", ".join(word for word in (policy.words(), words) if word)
        if step.kind in {"map", "starmap"}:
            said = words
        options, found, decorators = self._retries(step, policy, limits)
        first: list[str] = []
        limit = policy.time_limit or policy.soft_time_limit
        if limit is not None:
            if limits is None:
                options.append(f"timeout_seconds={_plain(limit)}")
            found.append(limit_words(policy, held=limits is not None))
        if policy.acks_late:
            what = "a task whose process is lost ends as Crashed, and is not begun again by itself"
            found.append(("PORT112", what))
        if policy.expires is not None:
            decorators.append(f"@expires({_plain(policy.expires)})")
            self.options.add("expires")
            found.append(("PORT114", "expired tasks were revoked; here they fail"))
        if policy.queue:
            what = f"it was sent to the queue {policy.queue!r}; here it runs where its flow runs"
            found.append(("PORT115", what))
        if policy.priority is not None:
            found.append(("PORT116", f"priority={policy.priority} has no equal"))
        if policy.rate_limit:
            first = self._rate(step, policy)
            what = f"rate_limit={policy.rate_limit!r} was for each worker; here all share it"
            found.append(("PORT117", what))
        about = step.task.name if step.task is not None else name
        for word, code in (
            ("time_limit", "PORT147"),
            ("soft_time_limit", "PORT147"),
            ("expires", "PORT114"),
        ):
            text = getattr(given, word)
            if text and _number(text) is None:
                found.append((code, f"{word}={text} is known at run time only, and not emitted"))
        for code, what in found:
            self.parts.note(code, place_of(step), f"{about}: {what}", about)
        comments = comment(said)
        for code, what in found:
            comments += comment(f"DECIDE({code}): {what}.")
        return comments, options, decorators, first

    def _rate(self, step: Step, policy: Policy) -> list[str]:
        count, _, window = policy.rate_limit.partition("/")
        try:
            rate = float(count) / _WINDOWS[window or "s"]
        except (KeyError, ValueError):
            rate = 0.0
        name = step.task.name if step.task is not None else step.name
        if not rate:
            return []  # 0: no limit
        self.limits[name] = rate
        self.source.imports.add("from prefect.concurrency.sync import rate_limit")
        return [f"rate_limit({name!r}, strict=True)"]

    def _asked(
        self, retries: Retries, asked: list[str], errors: Errors
    ) -> tuple[list[str], list[tuple[str, str]], list[str]]:
        """A step that says itself when it is tried again."""
        most = retries.attempts - 1
        options = [f"retries={'1_000_000' if most < 0 else most}"]
        options.append("retry_condition_fn=retried_on(Again)")
        delays = retries.delays(DELAYS)
        if any(delays) and errors.only != ():
            asked = [*asked, f"delays=({', '.join(map(_plain, delays))},)"]
            asked += ["jitter=True"] if retries.jitter else []
        self.options |= {"asked_again", "Again", "retried_on"}
        self.source.imports |= errors.imports
        what = "each way to ask for another attempt has its wait, which is slept in the task"
        return options, [("PORT142", what)], [f"@asked_again({', '.join(asked)})"]

    def _retries(
        self, step: Step, policy: Policy, limits: Limits | None
    ) -> tuple[list[str], list[tuple[str, str]], list[str]]:
        """Options of ``task``, decisions, and decorators below it."""
        retries = policy.retries
        found: list[tuple[str, str]] = []
        if retries is None or retries.attempts == 1 or step.task is None:
            return [], found, []
        errors = errors_of(self.parts, step, limits)
        asked = asked_again(self.parts, step, errors)
        if asked is not None:
            return self._asked(retries, asked, errors)
        if errors.only == ():
            return [], found, []  # max_retries alone: nothing asks for another attempt
        options = [f"retries={'1_000_000' if retries.limit is None else retries.limit}"]
        if retries.limit is None:
            found.append(("PORT118", "Prefect has no retries without a limit; this is a million"))
        delays = retries.delays(DELAYS)
        if len(set(delays)) == 1:
            if delays[0]:
                options.append(f"retry_delay_seconds={_plain(delays[0])}")
        else:
            while len(delays) > 1 and delays[-1] == delays[-2]:
                delays = delays[:-1]  # Prefect goes on with the last
            options.append(f"retry_delay_seconds=[{', '.join(map(_plain, delays))}]")
        if retries.jitter and any(delays):
            options.append("retry_jitter_factor=1")
            found.append(("PORT111", "each wait was drawn between 0 and these; here around them"))
        only = errors.only or ("Exception",)
        never = list(errors.never)
        if limits is None and policy.time_limit is not None and _may_be_a_timeout(only):
            # A hard time limit ends a Celery task for good; Prefect's timeout is an error.
            never.append("TaskRunTimeoutError")
            self.source.imports.add("from prefect.task_engine import TaskRunTimeoutError")
        if errors.only is not None or never:
            but = [f"but=({', '.join(never)},)"] if never else []
            options.append(f"retry_condition_fn=retried_on({', '.join([*only, *but])})")
            self.options.add("retried_on")
            self.source.imports |= errors.imports
        return options, found, []


def _may_be_a_timeout(errors: Sequence[str]) -> bool:
    return not set(errors).isdisjoint({"Exception", "OSError", "IOError", "TimeoutError"})


def _kept(options: Options) -> Options:
    """The options that are a task's and not its caller's."""
    return replace(options, countdown="", eta="", ignore_result=False)


def _kind(options: Options) -> str:
    """A word for what is special about a call of a task."""
    if options.expires:
        return "expiring"
    return "limited" if options.time_limit or options.soft_time_limit else "apart"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _number(text: str) -> float | None:
    try:
        value = ast.literal_eval(text)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) else None
