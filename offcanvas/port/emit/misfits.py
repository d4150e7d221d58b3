"""Results that go where an annotation says something else: Celery never asked, mypy does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from offcanvas.port.emit.statements import every, step_calls
from offcanvas.port.script import Collect, Do, Gather, Sliced, StepCall
from offcanvas.port.source import expression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from offcanvas.port.script import Statement, Step

_ANY: Final = frozenset({"", "Any", "typing.Any", "object"})
#: Of these a list of one type is one of another that takes it.
_READ_ONLY: Final = frozenset({"Sequence", "Iterable", "Collection"})


def misfits(statements: Sequence[Statement], steps: Mapping[str, Step]) -> set[str]:
    """The variables that are given to a step whose parameter has another type than they."""
    types = dict(_types(statements, steps))
    found: set[str] = set()
    for call in step_calls(statements):
        params = {p.name: p.annotation for p in steps[call.step].params}
        for given in call.given:
            value = given.value
            if isinstance(value, str) and value in types and not given.spread:
                wanted = params.get(given.param, "")
                if not all(takes(wanted, type_) for type_ in types[value]):
                    found.add(value)
    return found


def _types(
    statements: Sequence[Statement], steps: Mapping[str, Step]
) -> Iterator[tuple[str, list[str]]]:
    types: dict[str, list[str]] = {}
    for one in every(statements):
        match one:
            case Do(target=target, call=StepCall(step=step)) if target:
                types.setdefault(target, []).append(steps[step].returns)
            case Gather(target=str(target), type=type_) | Collect(target=str(target), type=type_):
                types.setdefault(target, []).append(type_)
            case Sliced(target=str(target), type=type_):
                types.setdefault(target, []).append(type_)
            case _:
                pass
    yield from types.items()


def takes(wanted: str, given: str) -> bool:
    """Whether a parameter takes a value of a type, as far as the two annotations tell."""
    if wanted in _ANY or given in _ANY - {"object"}:
        return True
    try:
        return _takes(expression(wanted), expression(given))
    except SyntaxError:
        return True


def _takes(wanted: ast.expr, given: ast.expr) -> bool:
    if ast.dump(wanted) == ast.dump(given) or ast.unparse(wanted) in _ANY:
        return True
    if isinstance(given, ast.Name) and given.id == "Any":
        return True
    if _is_union(given):
        return all(_takes(wanted, one) for one in _members(given))
    if _is_union(wanted):
        return any(_takes(one, given) for one in _members(wanted))
    match wanted, given:
        case ast.Name(id="float"), ast.Name(id="int"):
            return True
        case ast.Name(id=name), ast.Subscript(value=ast.Name(id=of)):
            return name in {of, *_READ_ONLY}
        case ast.Subscript(value=ast.Name(id=name)), ast.Name(id=of):
            return name == of
        case ast.Subscript(value=ast.Name(id=name), slice=inner), ast.Subscript(slice=own):
            if name in _READ_ONLY:
                return _takes(inner, own)
            return "Any" in ast.unparse(own) or "Any" in ast.unparse(inner)
        case _:
            return False


def _is_union(node: ast.expr) -> bool:
    match node:
        case ast.BinOp(op=ast.BitOr()):
            return True
        case ast.Subscript(value=ast.Name(id="Optional" | "Union")):
            return True
        case _:
            return False


def _members(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_members(left), *_members(right)]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return [*_members(inner), ast.Constant(None)]
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=several)):
            return [member for one in several for member in _members(one)]
        case _:
            return [node]
