"""What a step does: the one expression in it that every engine has, and what it tries again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from offcanvas.port.emit.parts import alias_of, import_of
from offcanvas.port.pickled import TUPLES
from offcanvas.port.source import free_names, renamed
from offcanvas.port.split import is_moved

if TYPE_CHECKING:
    from typing import TypeAlias

    from offcanvas.audit.module import Module
    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.ir import Load, Param, Place, Row
    from offcanvas.port.script import Step

    #: The hard and the soft time limit of a step, in seconds.
    Limits: TypeAlias = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Inside:
    """The expression that a step returns and the imports it needs, or why there is none.

    code: of the todo, "" if there is an expression. before: statements before it.
    """

    text: str
    imports: frozenset[str] = frozenset()
    code: str = ""
    why: str = ""
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Errors:
    """What is tried again, as expressions: ``only`` these, ``never`` those of them.

    ``only`` is None when every error is.
    """

    only: tuple[str, ...] | None
    never: tuple[str, ...]
    imports: frozenset[str]


def module_of(parts: Parts, step: Step) -> Module:
    """The project's module that a step's task or load is written in."""
    return parts.module(place_of(step).path)


def place_of(step: Step) -> Place:
    """Where a step's task or load is written."""
    if step.task is not None:
        return step.task.place
    if step.load is not None:
        return step.load.place
    raise TypeError(f"{step.name} is neither a task nor a load")


def rows_of(load: Load | None) -> list[Row]:
    """The rows that a load returns."""
    rows = (load.row, *load.records, load.several) if load is not None else ()
    return [row for row in rows if row is not None]


def inside(
    parts: Parts,
    step: Step,
    returns: str,
    prefix: str,
    retries: str,
    task_id: str,
    limits: Limits | None = None,
) -> Inside:
    """The expression of a step; its parameters are read with ``prefix`` before their names.

    ``retries`` is the engine's expression for the number of attempts before this one, ``task_id``
    for what names this call; ``returns`` is the type of the result as it is emitted. ``limits``
    are a hard and a soft one that its process holds.
    """
    found = _inside(parts, step, returns, prefix, retries, task_id, limits)
    if found.code or not parts.plan.pickles:
        return found
    objects = f"from {parts.package}.objects import packed, unpacked"
    text = found.text
    if step.packs:
        own = step.load is not None and step.load.type == TUPLES
        text = f"[list(map(packed, item)) for item in {text}]" if own else f"packed({text})"
    return replace(found, text=text, imports=found.imports | {objects})


def _inside(
    parts: Parts,
    step: Step,
    returns: str,
    prefix: str,
    retries: str,
    task_id: str,
    limits: Limits | None,
) -> Inside:
    if step.load is not None:
        return _load(parts, step, step.load, returns, prefix)
    if parts.by_call and step.kind != "errback":
        if step.task is not None and step.task.renews:
            why = f"{step.task.name}: self.retry with other arguments in a body that is called"
            parts.note("PORT211", step.task.place, why, step.task.name)
            return Inside("", code="PORT211", why=why)
        call, imported = parts.run(step)
        call, more = parts.in_context(step, call)
        return _called(step, prefix, call, frozenset({imported}) | more, [])
    body, work = parts.body(step)
    if body.todo is not None:
        return Inside("", code=body.todo.code, why=body.todo.message)
    alias = alias_of(work)
    call = f"{alias}.{body.name}"
    imports = frozenset({import_of(work)})
    if step.task is not None and step.kind != "errback":
        for decorator in reversed(step.task.decorators):
            around = parts.reference(decorator, module_of(parts, step), frozenset())
            if around.missing:
                why = f"@{decorator} needs {around.missing}, which only Celery's side has"
                return Inside("", code="PORT218", why=why)
            call = f"{around.text}({call})"
            imports |= around.imports
    call, more = parts.in_context(step, call)
    imports |= more
    if limits is not None:
        hard, soft = limits
        said = [f"hard={hard:g}"] if hard is not None else []
        said += [f"soft={soft:g}"] if soft is not None else []
        call = f"limited({', '.join([call, *said])})"
        imports |= {f"from {parts.package}.limits import limited"}
    sent = [f"{one.name}=sends.{one.name}" for one in body.sends]
    if sent:
        imports |= {f"from {parts.package} import sends"}
    if body.attempt and step.task is not None and step.task.renews and step.kind == "task":
        return _renewing(parts, step, prefix, call, imports, sent, retries, task_id)
    if body.attempt and step.task is not None:
        found = _called(step, prefix, call, imports, ["attempt=attempt", *sent])
        policy = step.task.policy.retries
        most = policy.limit if policy is not None else 3
        which = [retries, str(most), *([task_id] if body.task_id else [])]
        text = f"{alias}.passed_on(attempt, {found.text})" if body.ends else found.text
        before = (f"attempt = {alias}.Attempt({', '.join(which)})",)
        return replace(found, text=text, before=before)
    told = [f"retries={retries}"] if body.retries else []
    told += [f"task_id={task_id}"] if body.task_id else []
    told += sent
    return _called(step, prefix, call, imports, told)


def _renewing(
    parts: Parts,
    step: Step,
    prefix: str,
    call: str,
    imports: frozenset[str],
    sent: list[str],
    retries: str,
    task_id: str,
) -> Inside:
    """A step whose next attempt may be given other arguments: called as Celery's message says."""
    body, work = parts.body(step)
    form, why = form_of(step)
    if form is None or step.task is None:
        told = f"{step.task.name if step.task is not None else step.name}: {why}"
        parts.note("PORT211", place_of(step), told, told.partition(":")[0])
        return Inside("", code="PORT211", why=told)
    count, names = form
    places = [p for p in step.params if p.kind == "positional"][:count]
    rest = [p for p in step.params if p.kind == "args"]
    named = [p for p in step.params if p.name in names and p not in places]
    others = [p for p in step.params if p.kind == "kwargs"]
    by_place = [*(_value(p, prefix) for p in places), *(f"*{_value(p, prefix)}" for p in rest)]
    by_name = [f'"{p.name}": {_value(p, prefix)}' for p in named]
    by_name += [f"**{_value(p, prefix)}" for p in others]
    alias = alias_of(work)
    policy = step.task.policy.retries
    which = [retries, str(policy.limit if policy is not None else 3)]
    which += [task_id] if body.task_id else []
    which += ["given=(by_place, by_name)"]
    said = ["*by_place", "**by_name", "attempt=attempt", *sent]
    text = f"{call}({', '.join(said)})"
    text = f"{alias}.passed_on(attempt, {text})" if body.ends else text
    before = (
        f"by_place, by_name = as_asked([{', '.join(by_place)}], {{{', '.join(by_name)}}})",
        f"attempt = {alias}.Attempt({', '.join(which)})",
    )
    return Inside(text, imports, before=before)


def form_of(step: Step) -> tuple[tuple[int, frozenset[str]] | None, str]:
    """How a message hands a step its arguments: so many by position, and which by name.

    None with the reason where a next attempt would be given other arguments than on Celery:
    `self.retry(args=...)` leaves what a message gave by name, `kwargs=...` what by position.
    """
    if step.task is None:
        return None, "it is no task"
    renews = step.task.renews
    counts = {one.count for one in step.sent}
    names = {one.names for one in step.sent}
    if "args" in renews and (len(names) != 1 or None in names):
        return None, "self.retry(args=...) keeps what is sent by name, which is not always the same"
    if "kwargs" in renews and (len(counts) != 1 or None in counts):
        return None, (
            "self.retry(kwargs=...) keeps what is sent by position, which is not always the same"
        )
    unsaid = [p.name for p in step.params if p.packed or not _is_json(p.annotation)]
    if unsaid:
        return None, f"self.retry with other arguments, and {unsaid[0]!r} is not plain JSON"
    every = frozenset(name for one in names if one for name in one)
    places = [p.name for p in step.params if p.kind == "positional"]
    known = [len(places) if count is None else min(count, len(places)) for count in counts]
    count = max(known, default=len(places))
    if every & {*places[:count]}:
        count = min(known)
    return (count, every | {*places[count : max(known, default=0)]}), ""


_JSON = frozenset(
    {"Any", "Dict", "List", "Mapping", "None", "Optional", "Sequence", "Union", "bool", "dict"}
    | {"float", "int", "list", "object", "str"}
)


def _is_json(annotation: str) -> bool:
    """Whether JSON carries all values of a type, as far as the annotation says what they are."""
    return not annotation or _JSON.issuperset(free_names(annotation))


def _called(step: Step, prefix: str, call: str, imports: frozenset[str], told: list[str]) -> Inside:
    if step.kind in {"map", "starmap"}:
        star = "*" if step.kind == "starmap" else ""
        items = _value(step.params[0], prefix)
        given = ", ".join([f"{star}item", *(one for one in told if one.startswith("send_"))])
        return Inside(f"[{call}({given}) for item in {items}]", imports)
    return Inside(f"{call}({', '.join([*_arguments(step, prefix), *told])})", imports)


def _load(parts: Parts, step: Step, load: Load, returns: str, prefix: str) -> Inside:
    found = parts.load(load, step.params)
    if found.missing:
        return Inside("", code="PORT218", why=f"it needs {found.missing}")
    text = found.text
    values = {p.name: _value(p, prefix) for p in step.params}
    values = {name: value for name, value in values.items() if name != value}
    text = renamed(text, values)
    before = tuple(_assigned(line, values) for line in found.before)
    plain = load.row is None and not load.body and not is_moved(load.reads)
    if plain and returns.startswith("list[") and not text.startswith("["):
        text = f"list({text})"
    return Inside(text, found.imports, before=before)


def _assigned(line: str, values: dict[str, str]) -> str:
    """A statement ``name = expression`` over the step's parameters."""
    target, equals, value = line.partition(" = ")
    return f"{target} = {renamed(value, values)}" if equals else line


def _arguments(step: Step, prefix: str) -> list[str]:
    arguments: list[str] = []
    for param in step.params:
        value = _value(param, prefix)
        if param.kind == "args":
            arguments.append(f"*{value}")
        elif param.kind == "kwargs":
            arguments.append(f"**{value}")
        elif param.kind == "keyword":
            arguments.append(f"{param.name}={value}")
        else:
            arguments.append(value)
    return arguments


def _value(param: Param, prefix: str) -> str:
    """The parameter as the step has it."""
    value = f"{prefix}{param.name}"
    return f"unpacked({value})" if param.packed else value


def errors_of(parts: Parts, step: Step, limits: Limits | None = None) -> Errors:
    """The errors after which Celery's task was tried again; a hard limit ends it for good."""
    if step.task is None:
        return Errors((), (), frozenset())
    module = module_of(parts, step)
    retries = step.task.policy.retries
    imports: set[str] = set()
    on, but = (retries.on, retries.never) if retries is not None else ((), ())
    only = [text for name in on if (text := _error(parts, name, module, imports))]
    never = [text for name in but if (text := _error(parts, name, module, imports))]
    if parts.by_call:
        if retries is not None and retries.asked and not only:
            only.append("Retry")  # what self.retry() raises in a body that is called
            imports.add("from celery.exceptions import Retry")
        return Errors(
            None if "Exception" in only else tuple(only), tuple(never), frozenset(imports)
        )
    body, work = parts.body(step)
    if body.tries_again:
        only.append(f"{alias_of(work)}.TryAgain")
        imports.add(import_of(work))
    if body.ends:
        never.append(f"{alias_of(work)}.ChainEnded")
        imports.add(import_of(work))
    every = None if "Exception" in only else tuple(only)
    if limits is not None and limits[0] is not None and every is None:
        never.append("TimeLimitExceeded")
        imports.add(f"from {parts.package}.limits import TimeLimitExceeded")
    return Errors(every, tuple(never), frozenset(imports))


def asked_again(parts: Parts, step: Step, errors: Errors) -> list[str] | None:
    """The arguments of ``asked_again`` for a step that says itself when it is tried again."""
    retries = step.task.policy.retries if step.task is not None else None
    if retries is None or not retries.own or parts.by_call:
        return None
    _, work = parts.body(step)
    only = ("Exception",) if errors.only is None else errors.only
    said = [f"{alias_of(work)}.TryAgainLater", f"limit={retries.limit}", f"wait={retries.wait:g}"]
    said += [f"on=({', '.join(only)},)"] if only else []
    said += [f"but=({', '.join(errors.never)},)"] if errors.never else []
    return said


def _error(parts: Parts, name: str, module: Module, imports: set[str]) -> str:
    """An error as the port may write it, or "" for one that is never raised there."""
    head = name.partition(".")[0]
    facts = module.facts
    resolved = parts.project.index.resolve(facts, name)
    if resolved.partition(".")[0] in {"celery", "billiard"}:
        # What Celery raises in a body at its soft limit; nothing else of Celery's is raised here.
        if not resolved.endswith(".SoftTimeLimitExceeded"):
            return ""
        imports.add(f"from {parts.package}.limits import SoftTimeLimitExceeded")
        return "SoftTimeLimitExceeded"
    if head in {*facts.imports, *facts.classes, *facts.assigns}:
        found = parts.reference(name, module, frozenset())
        imports |= found.imports
        return found.text
    if "." in name:
        package, _, last = name.rpartition(".")
        imports.add(f"from {package} import {last}")
        return last
    return name
