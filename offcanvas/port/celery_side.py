"""The Celery side of a port whose bodies have moved: tasks call ``work``, signatures stay.

A task keeps its decorator, its name and its parameters; its body becomes one call. A ``self.retry``
stays with Celery, around that call. What cannot be done so for certain is left as it was, which
means that the body exists twice, and is noted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from offcanvas.port import attempts
from offcanvas.port.bodies import Body, Work
from offcanvas.port.edits import Edits
from offcanvas.port.errbacks import replacements
from offcanvas.port.ir import Load
from offcanvas.port.read.tasks import retries_in

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function


def celery_side(
    module: Module,
    work: Work,
    bodies: Mapping[str, Body],
    errbacks: Mapping[str, Body],
    prefixes: Sequence[tuple[str, Load]],
) -> tuple[str, list[str]]:
    """The module with its bodies moved to ``work``, and the functions that stay as they were.

    ``bodies`` and ``errbacks`` are by qualified name of the task's function; ``prefixes`` are the
    functions whose first statements have become a step.
    """
    alias = work.module.rpartition(".")[2]
    facts = module.facts
    bound = {*facts.imports, *facts.functions, *facts.classes, *facts.assigns}
    ours = facts.imports.get(alias, "").endswith(alias)
    if alias in bound and not ours:
        return module.source.decode(), sorted({*bodies, *errbacks, *(n for n, _ in prefixes)})
    edits = Edits(module.source)
    left: list[str] = []
    changed = False
    for name, body in {**bodies, **errbacks}.items():
        function = module.function_named(name)
        text = None
        if function is not None and body.todo is None:
            text = _called(module, function, body, alias, errback=name in errbacks)
        if function is None or text is None:
            left.append(name)
            continue
        _replace_body(function, text, edits)
        changed = True
    for name, load in prefixes:
        function = module.function_named(name)
        if function is not None and _replace_prefix(function, load, alias, edits):
            changed = True
        else:
            left.append(name)
    moved = [name for name in sorted(_helpers(module, work)) if _cut(module, name, edits)]
    if not changed and not moved:
        return module.source.decode(), left
    _import(module, work, moved, edits, known=ours)
    return re.sub(r"\n{4,}", "\n\n\n", edits.result()), left


def _statements(function: Function) -> list[ast.stmt]:
    body = function.node.body
    first = body[0]
    if len(body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[1:]
    return body


def _called(
    module: Module, function: Function, body: Body, alias: str, *, errback: bool
) -> list[str] | None:
    """The new body, or None when the old one has to stay."""
    if body.ends and not body.attempt:
        return None  # only Celery's task can say to Celery that nothing follows
    params = list(function.params.items)
    me = ""
    if function.task is not None and function.task.bound:
        me, params = params[0].name, params[1:]
    arguments: list[str] = []
    if errback:
        told = _told(module, function)
        if told is None:
            return None
        positional = [p for p in params if p.kind == "positional"]
        own = [p for p in params if p not in positional[:3]]
        plain = [p.name for p in own if not p.default and p.kind == "positional"]
        rest = [f"{p.name}={p.name}" for p in own if p.name not in plain]
        arguments = [*plain, *told, *rest]
    else:
        for param in params:
            prefix = {"args": "*", "kwargs": "**"}.get(param.kind, "")
            named = f"{param.name}={param.name}" if param.kind == "keyword" else param.name
            arguments.append(f"{prefix}{named}")
    if any(one.canvas is not None for one in body.sends):
        return None  # it writes its canvases out
    arguments += [f"{one.name}={one.source}.delay" for one in body.sends]
    local = [one.local for one in body.sends if one.local]
    retries = list(retries_in(module, function))
    if local and retries and not body.attempt:
        return None
    if body.attempt:
        return [*local, *_with_attempt(function, body, alias, me, arguments)]
    if body.retries:
        arguments.append(f"retries={me}.request.retries")
    if body.task_id:
        arguments.append(f"task_id={me}.request.id")
    call = f"{alias}.{body.name}({', '.join(arguments)})"
    returns = function.node.returns
    nothing = isinstance(returns, ast.Constant) and returns.value is None
    line = call if nothing else f"return {call}"
    if not retries:
        return [*local, line]
    return _with_retries(module, function, line, retries, alias)


def _told(module: Module, function: Function) -> list[str] | None:
    """What an errback hands on of the failure: how its body reads the class name and the text."""
    names = tuple(a.arg for a in [*function.node.args.posonlyargs, *function.node.args.args][:3])
    forms: dict[str, set[str]] = {}
    for node, text in replacements(function.node, names, module.project):
        forms.setdefault(text, set()).add(ast.unparse(node))
    if set(forms) - {"kind", "error"} or any(len(found) > 1 for found in forms.values()):
        return None
    told = [forms[text].copy().pop() for text in ("kind", "error") if text in forms]
    return [f"str({text})" if text in names else text for text in told]


def _with_attempt(
    function: Function, body: Body, alias: str, me: str, arguments: list[str]
) -> list[str]:
    """The task makes an ``Attempt`` of its object, and does what the body asks for."""
    given = f"{me}.request.retries, {me}.max_retries" + (
        f", {me}.request.id" if body.task_id else ""
    )
    call = f"{alias}.{body.name}({', '.join([*arguments, 'attempt=attempt'])})"
    returns = function.node.returns
    nothing = isinstance(returns, ast.Constant) and returns.value is None
    asked = "exc=again.error, countdown=again.after, max_retries=again.limit"
    lines = [
        f"attempt = {alias}.Attempt({given})",
        "try:",
        f"    {call}" if nothing else f"    return {call}",
        f"except {alias}.TryAgainLater as again:",
        f"    raise {me}.retry(",
        f"        {', '.join([*attempts.renewing(body.renews, 'again'), asked])}",
        "    ) from again.error",
    ]
    if body.ends:
        lines += ["finally:", "    if attempt.ends_chain:", f"        {me}.request.chain = None"]
    return lines


def _with_retries(
    module: Module, function: Function, line: str, asked: Sequence[ast.Call], alias: str
) -> list[str] | None:
    statements = _statements(function)
    handlers: list[str] = []
    again: set[str] = set()
    for call in asked:
        handler = next((n for n in module.around(call) if isinstance(n, ast.ExceptHandler)), None)
        statement = module.parents.get(call)
        if not isinstance(statement, ast.Raise | ast.Expr | ast.Return):
            return None
        text = module.segment(call)
        if handler is None:
            if any(k.arg == "exc" for k in call.keywords):
                return None
            again.add(f"raise {text}")
            continue
        if len(statements) != 1 or not isinstance(statements[0], ast.Try) or handler.type is None:
            # The same exception may come from elsewhere in the body, where it was not retried.
            return None
        name = f" as {handler.name}" if handler.name else ""
        lines = [f"except {ast.unparse(handler.type)}{name}:", f"    raise {text}"]
        if lines[0] not in handlers:
            handlers += lines
    if len(again) > 1:
        return None
    made = ["try:", f"    {line}", *handlers]
    if again:
        made += [f"except {alias}.TryAgain:", "    pass", again.pop()]
    return made


def _replace_body(function: Function, text: Sequence[str], edits: Edits) -> None:
    statements = _statements(function)
    first, last = statements[0], statements[-1]
    start, end = edits.span(first)[0], edits.end_of_line(last)
    indent = " " * first.col_offset
    edits.cut(start, end, f"\n{indent}".join(text))


def _replace_prefix(function: Function, load: Load, alias: str, edits: Edits) -> bool:
    statements = _statements(function)
    if load.records or load.ends:
        return False  # it fills records in the place of signatures
    count = len(ast.parse(load.body).body)
    if count >= len(statements):
        return False
    first, last = statements[0], statements[count - 1]
    if function.task is not None and function.task.bound:
        # Celery's side counts its attempts, which the step does not.
        own = next(iter(function.params.items)).name
        inside = [n for s in statements[:count] for n in ast.walk(s)]
        if any(isinstance(n, ast.Name) and n.id == own for n in inside):
            return False
    call = f"{alias}.{load.step}({', '.join(p.name for p in load.inputs)})"
    text = call if load.reads == "None" else f"{load.reads} = {call}"
    edits.cut(edits.span(first)[0], edits.end_of_line(last), text)
    return True


def _helpers(module: Module, work: Work) -> Iterator[str]:
    """Names that stood in the module and are no tasks: helpers, classes and constants."""
    for name in work.moved:
        function = module.function_named(name)
        helper = function is not None and function.task is None and name in work.definitions
        other = function is None and name in {*module.facts.classes, *module.facts.assigns}
        if helper or other:
            yield name


def _cut(module: Module, name: str, edits: Edits) -> bool:
    """Take a definition out of the module."""
    for statement in module.tree.body:
        defined = statement.name if isinstance(statement, ast.FunctionDef | ast.ClassDef) else ""
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            defined = target.id if isinstance(target, ast.Name) else ""
        if defined == name:
            decorators = getattr(statement, "decorator_list", [])
            top = min([statement.lineno, *(d.lineno for d in decorators)])
            edits.cut(edits.offset(top, 0), edits.span(statement)[1])
            return True
    return False


def _import(module: Module, work: Work, moved: Sequence[str], edits: Edits, *, known: bool) -> None:
    package, _, alias = work.module.rpartition(".")
    lines = []
    if not known:
        lines.append(f"from {package} import {alias}" if package else f"import {alias}")
    if moved:
        lines.append(f"from {work.module} import {', '.join(moved)}")
    if not lines:
        return
    imports = [s for s in module.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    end = edits.span(imports[-1])[1] if imports else 0
    text = "\n".join(lines)
    edits.cut(end, end, f"\n{text}" if imports else f"{text}\n\n")
