"""What an error callback reads of the failure: its class name, its text, or more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offcanvas.audit.values import Name

if TYPE_CHECKING:
    from offcanvas.audit.project import Project

_TEXT = ("str({0})", "str({0}.__cause__ or {0})", "str({0}.__cause__)")
_KIND = ("type({0}).__name__", "{0}.__class__.__name__", "type({0}.__cause__ or {0}).__name__")
_BOTH = ("repr({0})", "repr({0}.__cause__ or {0})")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the body of an errback reads.

    kind, text: the class name and the message. told: the names of its first three parameters.
    other: what it reads besides, with the line; code for it cannot be emitted.
    """

    kind: bool
    text: bool
    told: tuple[str, ...]
    other: tuple[tuple[int, str], ...]


def needs_of(
    function: ast.FunctionDef | ast.AsyncFunctionDef, project: Project | None = None
) -> Needs:
    """What an errback of the new form (request, exception, traceback, ...) reads."""
    told = tuple(a.arg for a in [*function.args.posonlyargs, *function.args.args][:3])
    found = [word for _, word in replacements(function, told, project)]
    other = [(node.lineno, node.id) for node in _unmatched(function, told, project)]
    kinds = {name for text in found for name in ("kind", "error") if name in text}
    return Needs("kind" in kinds, "error" in kinds, told, tuple(other))


def replacements(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    told: tuple[str, ...],
    project: Project | None = None,
) -> Iterator[tuple[ast.expr, str]]:
    """The expressions over the failure, each with what stands for it in a plain function."""
    if len(told) < 2:
        return
    name = told[1]
    texts = {ast.unparse(ast.parse(form.format(name))): "error" for form in _TEXT}
    texts |= {ast.unparse(ast.parse(form.format(name))): "kind" for form in _KIND}
    texts |= {ast.unparse(ast.parse(form.format(name))): 'f"{kind}({error!r})"' for form in _BOTH}
    for node in _expressions(function):
        found = texts.get(ast.unparse(node))
        if found is not None:
            yield node, found
    for inner in ast.walk(function):
        if isinstance(inner, ast.Call):
            kinds = _asked(inner, name, project)
            if kinds:
                yield inner, f"kind in {{{', '.join(map(repr, kinds))}}}"
            for keyword in inner.keywords:
                if keyword.arg == "exc_info" and _is(keyword.value, name):
                    yield keyword.value, "None"
        # As an argument of a log call or inside of an f-string its text is what is shown.
        if isinstance(inner, ast.FormattedValue) and _is(inner.value, name):
            if inner.conversion in {-1, ord("s")}:
                yield inner.value, "error"
        elif isinstance(inner, ast.Call) and (_logs(inner) or _prints(inner)):
            for arg in inner.args[0 if _prints(inner) else 1 :]:
                if _is(arg, name):
                    yield arg, "error"


def _asked(call: ast.Call, name: str, project: Project | None) -> list[str]:
    """The class names that ``isinstance(error, classes)`` asks for, with those derived of them."""
    match call:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=asked), classes]):
            if asked != name or project is None:
                return []
        case _:
            return []
    several = classes.elts if isinstance(classes, ast.Tuple) else [classes]
    known = {
        one.attr if isinstance(one, ast.Attribute) else one.id
        for one in several
        if isinstance(one, ast.Attribute | ast.Name)
    }
    if len(known) < len(several):
        return []
    while True:
        more = {
            own
            for facts in project.files.values()
            for own, one in facts.classes.items()
            if own not in known
            and any(
                isinstance(base, Name) and base.dotted.rpartition(".")[2] in known
                for base in one.bases
            )
        }
        if not more:
            return sorted(known)
        known |= more


def _prints(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "print"


def _logs(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in {
        *("debug", "info", "warning", "error", "critical", "exception", "log")
    }


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _expressions(function: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call | ast.Attribute):
            yield node


def _unmatched(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    told: tuple[str, ...],
    project: Project | None,
) -> Iterator[ast.Name]:
    found = replacements(function, told, project)
    covered = {id(inner) for node, _ in found for inner in ast.walk(node)}
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in told and id(node) not in covered:
                yield node
