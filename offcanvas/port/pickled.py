"""Ports of projects that send pickles: what JSON does not carry goes on as pickle, nothing else.

Where Celery's serializer is pickle, an argument or a result may be any object. What an annotation
says is plain stays as it is; all else is given to ``packed`` before it crosses an engine and to
``unpacked`` behind it (see ``emit.objects``).
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from offcanvas.port.source import expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offcanvas.port.ir import Canvas, Let, Load, Param, Row

_SCALARS: Final = frozenset({"str", "int", "float", "bool", "None"})
_SEVERAL: Final = frozenset({"list", "List", "Optional", "Union", "Sequence", "Iterable"})
_LISTS: Final = frozenset({"tuple", "Tuple", "set", "Set", "frozenset", "FrozenSet"})
_MAPPINGS: Final = frozenset({"dict", "Dict", "Mapping"})
_TEXT: Final = frozenset({"str", "Any"})
#: A list of items with several names each: their values are packed one by one.
TUPLES: Final = "list[tuple[Any, ...]]"


def is_plain(annotation: str) -> bool:
    """Whether all values of a type come out of JSON as they went in."""
    try:
        return bool(annotation) and _plain(expression(annotation))
    except SyntaxError:
        return False


def _plain(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=None):
            return True
        case ast.Constant(value=str(text)):
            return is_plain(text)
        case ast.Name(id=name):
            return name in _SCALARS
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _plain(left) and _plain(right)
        case ast.Subscript(value=ast.Name(id="dict" | "Dict"), slice=ast.Tuple(elts=[key, value])):
            return isinstance(key, ast.Name) and key.id == "str" and _plain(value)
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _SEVERAL:
            several = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return all(map(_plain, several))
        case _:
            return False


def changed_by_json(annotation: str) -> bool:
    """Whether a value of this type is another one behind JSON: a list for a tuple, keys as text."""
    try:
        nodes = list(ast.walk(expression(annotation))) if annotation else []
    except SyntaxError:
        return False
    return any(map(_changed, nodes))


def _changed(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name):
            return name in _LISTS
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=[key, _])):
            return name in _MAPPINGS and not (isinstance(key, ast.Name) and key.id in _TEXT)
        case _:
            return False


def packed_param(param: Param) -> Param:
    """The parameter, as one that is given what it says or a pickle."""
    if is_plain(param.annotation):
        return param
    return replace(param, annotation="Any", packed=True)


def packed_canvas(canvas: Canvas) -> Canvas:
    """The canvas with inputs and rows that may hold pickles."""
    rows = {row.name for row in canvas.rows}
    params = tuple(
        p if p.annotation.removeprefix("list[").removesuffix("]") in rows else packed_param(p)
        for p in canvas.params
    )
    return replace(
        canvas,
        params=params,
        rows=tuple(_row(row, rows) for row in canvas.rows),
        data=_data(canvas.data, rows),
    )


def _data(data: Sequence[Let | Load], rows: set[str]) -> tuple[Let | Load, ...]:
    from offcanvas.port.ir import Load

    made: list[Let | Load] = []
    for one in data:
        if isinstance(one, Load):
            row = None if one.row is None else _row(one.row, rows)
            known = rows | {record.name for record in one.records}
            several = None if one.several is None else _row(one.several, known)
            records = tuple(_row(record, known) for record in one.records)
            made.append(replace(one, row=row, several=several, records=records))
        else:
            made.append(one)
    return tuple(made)


def _row(row: Row, rows: set[str]) -> Row:
    fields = tuple(
        one
        if is_plain(one.type) or one.type.removeprefix("list[").removesuffix("]") in rows
        else replace(one, type="Any", packed=True)
        for one in row.fields
    )
    return replace(row, fields=fields)
