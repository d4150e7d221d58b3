"""A task of the project with its parameters and what Celery was told of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from offcanvas.audit.class_tasks import HOOKS
from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK
from offcanvas.audit.values import Const, Dict, Name, Seq, Value
from offcanvas.port.attempts import (
    ATTEMPT,
    EXHAUSTED,
    Asked,
    asked_for,
    chain_ends,
    ends_at_once,
    moved,
    reached,
)
from offcanvas.port.ir import Context, Param, Place, Task
from offcanvas.port.policy import CAP, DELAY, Policy, Retries
from offcanvas.port.read import settings
from offcanvas.port.read.contexts import context_of

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.audit.tasks import Task as Found
    from offcanvas.audit.tree import Function

#: Options that say something about limits and attempts, in the order in which they are shown.
TOLD: Final = (
    *("autoretry_for", "dont_autoretry_for", "max_retries", "default_retry_delay"),
    *("retry_backoff", "retry_backoff_max", "retry_jitter", "time_limit", "soft_time_limit"),
    *("expires", "acks_late", "queue", "priority", "rate_limit", "ignore_result"),
    "retry_kwargs",
)


#: What a setting may say without a refusal: it is told of, and not emitted.
_NOT_EMITTED: Final = {"queue": "PORT115", "priority": "PORT116", "rate_limit": "PORT117"}
_TASKS: Final = frozenset({"task", "shared_task", "periodic_task"})
_OF_ERRORS: Final = frozenset({"autoretry_for", "dont_autoretry_for"})


def unread_options(project: Project, found: Found, live: Mapping[str, Any]) -> tuple[str, ...]:
    """Options of a task that are given in a form that cannot be read without importing it."""
    if found.name in live:
        return ()
    module = Module.opened(project, found.path)
    function = module.function_named(found.function) if module is not None else None
    if module is None or function is None:
        return ()
    spread = [
        f"**{module.text(keyword.value)}"
        for decorator in function.node.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
        if keyword.arg is None
    ]
    for name in TOLD:
        written = found.options.get(name)
        if written is None:
            continue
        if not _is_read(project, module, name, written) and name not in _NOT_EMITTED:
            spread.append(f"{name}=...")
    return tuple(spread)


def settings_of(
    project: Project, found: Found, live: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Options that a setting gives and that are not emitted: code and what there is to say."""
    module = Module.opened(project, found.path)
    if found.name in live or module is None:
        return
    for name, code in _NOT_EMITTED.items():
        written = found.options.get(name)
        if written is not None and not _is_read(project, module, name, written):
            yield code, f"{found.name}: {name} comes from a setting, and is not emitted"


def decorators_of(module: Module, function: Function) -> tuple[str, ...]:
    """The decorators between a task's own and its function, as source, the outermost first."""
    found = function.node.decorator_list
    names = [
        ast.unparse(one.func if isinstance(one, ast.Call) else one).rpartition(".")[2]
        for one in found
    ]
    own = next((place for place, name in enumerate(names) if name in _TASKS), 0)
    return tuple(module.segment(one) for one in found[own + 1 :])


def task_of(project: Project, found: Found, live: Mapping[str, Any]) -> Task:
    """The task with its parameters and policy; ``live`` are Celery's tasks by name, if imported."""
    module = Module.opened(project, found.path)
    function = module.function_named(found.function) if module is not None else None
    if module is None or function is None:
        params = tuple(
            Param(p.name, kind=p.kind)  # type: ignore[arg-type]  # the same four words
            for p in (found.params.items if found.params is not None else ())
        )
        return _task(found, params, "", Policy(), found.path)
    params = _params(function, bound=found.bound)
    options = _given(project, module, found, live)
    me = next((p.name for p in function.params.items), "") if found.bound else ""
    around = [*reached(module, function, me)] if me else [(module, function, "")]
    before = moved(module, function) if me else None
    asking = around if before is None else [*reached(*before, ATTEMPT)]
    asked = [
        one
        for number, (there, inner, name) in enumerate(asking)
        for one in asked_for(there, inner, name, body=not number)
    ]
    policy = _policy(options, asked)
    returns = function.node.returns
    said = ast.unparse(returns) if returns is not None else ""
    made = _task(found, params, said, policy, module.path)
    made = replace(
        made, decorators=decorators_of(module, function), hooks=tuple(_hooks(project, found))
    )
    if len(made.hooks) == 1:
        context = _context(project, found)
        made = made if context is None else replace(made, hooks=(), context=context)
    said_ = tuple(("", ast.unparse(call)) for call in retries_in(module, function))
    told = replace(policy, said=(*said_, *policy.said))
    if not me:
        return replace(made, policy=told)
    ends = [(there, one) for there, inner, name in around for one in chain_ends(inner, name)]
    late = any(ends_at_once(there, one) is None for there, one in ends)
    own = policy.retries is not None and policy.retries.own
    asks = any(
        isinstance(n, ast.Attribute) and n.attr == EXHAUSTED for n in ast.walk(function.node)
    )
    renews = frozenset(word for one in asked for word in one.renews)
    attempt = own or late or asks or len(around) > 1 or before is not None
    # Where the body is given an attempt, it says itself what it asks for.
    policy = policy if attempt else told
    return replace(made, policy=policy, ends=bool(ends), attempt=attempt, renews=renews)


def _hooks(project: Project, found: Found) -> Iterator[str]:
    """What Celery calls of a task's base class around its body; a library's class as a whole.

    Where apps give their tasks several classes, and the task names none, it may be of each.
    """
    several = project.task_classes if len(project.task_classes) > 1 else []
    bases = several if "base" not in found.options else []
    if found.base is not None:
        bases = [] if _is_of_app(project, found) else [found.base]
    for base in bases:
        if base.startswith("celery."):
            continue
        if project.index.class_(base) is None:
            yield base
            continue
        for hook in HOOKS:
            method = project.index.function(project.index.method(base, hook))
            if method is not None:
                yield method[1].qualname


def _context(project: Project, found: Found) -> Context | None:
    """What the ``__call__`` of a task's class puts around its body, if it does nothing else."""
    if found.base is None or project.index.class_(found.base) is None:
        return None
    method = project.index.function(project.index.method(found.base, "__call__"))
    return None if method is None else context_of(project, method[0].path, method[1].qualname)


def _is_of_app(project: Project, found: Found) -> bool:
    """Whether the base is `app.Task`, the class that an app gives its tasks by itself."""
    owner, _, attribute = (found.base or "").rpartition(".")
    app = Name(owner.rpartition(".")[2])
    kind = project.index.instance(project.files[found.path], app, "")
    return attribute == "Task" and project.index.is_app(kind)


def _task(found: Found, params: tuple[Param, ...], returns: str, policy: Policy, path: str) -> Task:
    return Task(
        name=found.name,
        module=found.qualname.removesuffix(f".{found.function}"),
        function=found.function,
        params=params,
        returns=returns,
        bound=found.bound,
        is_async=found.is_async,
        doc=found.doc,
        policy=policy,
        place=Place(path, found.line),
    )


def _params(function: Function, *, bound: bool) -> tuple[Param, ...]:
    return params_of(function.node.args)[1 if bound else 0 :]


def params_of(arguments: ast.arguments) -> tuple[Param, ...]:
    """The parameters of a function with annotations and defaults as source."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    params = [_param(a, d) for a, d in zip(positional, defaults, strict=True)]
    if arguments.vararg is not None:
        params.append(replace(_param(arguments.vararg, None), kind="args"))
    params += [
        replace(_param(a, d), kind="keyword")
        for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg is not None:
        params.append(replace(_param(arguments.kwarg, None), kind="kwargs"))
    return tuple(params)


def _param(argument: ast.arg, default: ast.expr | None) -> Param:
    said = argument.annotation
    annotation = "" if said is None else ast.unparse(said)
    if isinstance(said, ast.Constant) and isinstance(said.value, str):
        annotation = said.value
    return Param(argument.arg, annotation, "" if default is None else ast.unparse(default))


def _given(
    project: Project, module: Module, found: Found, live: Mapping[str, Any]
) -> dict[str, object]:
    """The options by name: of the imported task if there is one, else as far as they are written.

    Exceptions are their names as they are written, or "module.Class" of an imported task.
    """
    options: dict[str, object] = {}
    task = live.get(found.name)
    of_all = settings.of_app(project) if task is None else settings.of_task(task)
    for name in TOLD:
        written = found.options.get(name)
        if written is not None and _is_read(project, module, name, written):
            options[name] = _literal(project, module, written)
        elif task is not None and (value := getattr(task, name, None)) is not None:
            plain = _from_class(value)
            usual = (_from_class(getattr(_base(), name, None)), False)
            if written is not None or plain not in usual:
                options[name] = plain
        if written is None and name in of_all:
            options.setdefault(name, of_all[name])
    return options


def _is_read(project: Project, module: Module, name: str, written: Value) -> bool:
    """Whether an option is written in a form that says what it is: a literal, names of errors."""
    read = _literal(project, module, written)
    several = read if isinstance(read, tuple) else (read,)
    if name in _OF_ERRORS:
        return all(isinstance(one, str) for one in several)
    return isinstance(read, dict) or isinstance(
        project.index.constant(module.facts, written), Const
    )


def _base() -> Any:
    from celery import Task as Celerys

    return Celerys


def _from_class(value: object) -> object:
    if isinstance(value, type) and issubclass(value, BaseException):
        return (_spelled(value),)
    if isinstance(value, list | tuple):
        return tuple(_spelled(one) if isinstance(one, type) else one for one in value)
    return value


def _spelled(error: type) -> str:
    return (
        error.__name__ if error.__module__ == "builtins" else f"{error.__module__}.{error.__name__}"
    )


def _literal(project: Project, module: Module, value: Value) -> object:
    known = project.index.constant(module.facts, value)
    match known:
        case Const(value=plain):
            return plain
        case Seq(items=items):
            return tuple(_literal(project, module, item) for item in items)
        case Name(dotted=dotted):
            return dotted
        case Dict():
            pairs = {k: _literal(project, module, v) for k, v, _ in known.entries()}
            return None if None in pairs.values() else pairs
        case _:
            return None


def _policy(options: Mapping[str, object], asked: list[Asked]) -> Policy:
    """Options in one form; ``asked`` are the ``self.retry`` of the body."""
    said = tuple((name, _shown(value)) for name, value in options.items())
    return Policy(
        retries=_retries(options, asked),
        time_limit=_number(options.get("time_limit")),
        soft_time_limit=_number(options.get("soft_time_limit")),
        expires=_number(options.get("expires")),
        acks_late=options.get("acks_late") is True,
        queue=str(options.get("queue") or ""),
        priority=int(p) if isinstance(p := options.get("priority"), int) else None,
        rate_limit=str(options.get("rate_limit") or ""),
        ignore_result=options.get("ignore_result") is True,
        said=said,
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        inner = ", ".join(str(one).rpartition(".")[2] for one in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def _retries(options: Mapping[str, object], asked: list[Asked]) -> Retries | None:
    on = options.get("autoretry_for")
    never = options.get("dont_autoretry_for")
    if not on and not asked:
        return None
    more = options.get("retry_kwargs")
    if isinstance(more, Mapping):
        options = {**options, **{n: v for n, v in more.items() if n == "max_retries"}}
    most = options.get("max_retries", 3)
    limit = int(most) if isinstance(most, int) else None
    names = tuple(map(str, on)) if isinstance(on, tuple) else (str(on),) if on else ()
    without = tuple(map(str, never)) if isinstance(never, tuple) else ()
    delay = _number(options.get("default_retry_delay"))
    usual = DELAY if delay is None else delay
    backoff = options.get("retry_backoff")
    found = Retries(limit, names, without, usual)
    if on and backoff:
        cap = _number(options.get("retry_backoff_max"))
        first = 1.0 if backoff is True else float(str(backoff))
        jitter = options.get("retry_jitter", True) is not False
        cap = CAP if cap is None else cap
        found = Retries(limit, names, without, first, 2.0, cap, jitter)
    if not asked:
        return found
    waits = {(usual, 1.0) if a.countdown is None else countdown_of(a.countdown) for a in asked}
    auto = (found.first, found.factor) if on else None
    simple = len(waits) == 1 and (auto is None or (waits == {auto} and not found.jitter))
    ((wait, factor), *_) = sorted(waits, key=str)
    if simple and wait is not None and wait >= 0 and not any(one.own for one in asked):
        errors = dict.fromkeys([*names, *(one.error for one in asked if one.error)])
        return Retries(limit, tuple(errors), without, wait, factor, found.cap, asked=True)
    limits = [limit if one.limit is None else one.limit for one in asked]
    limits += [limit] if on else []
    known = [one for one in limits if one is not None and one >= 0]
    most_of_all = max(known) if len(known) == len(limits) else None
    return replace(found, asked=True, own=True, wait=usual, most=most_of_all)


def retries_in(module: Module, function: Function) -> Iterator[ast.Call]:
    """The calls of ``self.retry`` in a body."""
    for call in module.inside(function.node, ast.Call):
        if module.name(call.func) == f"{TASK}.retry":
            yield call


def countdown_of(node: ast.expr) -> tuple[float | None, float]:
    """(first wait, factor) of a countdown that is constant or ``a * b ** self.request.retries``.

    (-1, 1) for one that is neither.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value), 1.0
    values = []
    for retries in (0, 1, 2, 3):
        try:
            values.append(_evaluated(node, retries))
        except (ValueError, ArithmeticError):
            return -1.0, 1.0
    first, factor = values[0], (values[1] / values[0] if values[0] else 1.0)
    grows = all(abs(value - first * factor**n) < 1e-9 for n, value in enumerate(values))
    return (first, factor) if grows else (-1.0, 1.0)


def _evaluated(node: ast.expr, retries: int) -> float:
    """Arithmetic over numbers and ``self.request.retries``."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Attribute(attr="retries"):
            return float(retries)
        case ast.Call(func=ast.Name(id="int" | "float"), args=[inner], keywords=[]):
            return _evaluated(inner, retries)
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _evaluated(left, retries), _evaluated(right, retries)
            match op:
                case ast.Add():
                    return first + second
                case ast.Sub():
                    return first - second
                case ast.Mult():
                    return first * second
                case ast.Pow():
                    return float(first**second)
    raise ValueError(ast.dump(node))
