"""Whether a block of code may write to a database, as far as it is written there."""

import ast
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.rules._models import query

_READS: Final = frozenset(
    {"get", "filter", "exclude", "all", "first", "last", "count", "exists", "values", "values_list"}
    | {
        "using",
        "order_by",
        "distinct",
        "annotate",
        "aggregate",
        "select_related",
        "only",
        "in_bulk",
    }
    | {"prefetch_related", "iterator", "latest", "earliest", "defer", "reverse", "none"}
)
_KNOWN: Final = ("builtins.", "django.db.transaction.", "logging.", "celery.", "functools.")
_HARMLESS: Final = frozenset(
    {"debug", "info", "warning", "error", "exception", "log", "append", "format", "join", "split"}
    | {"items", "keys", "values", "strip", "lower", "upper", "startswith", "endswith", "isoformat"}
    | {"extend", "add_note", "now", "s", "si"}
)


def may_write(module: Module, block: ast.AST, sends: set[int]) -> bool:
    """Whether a call in a block may write; `sends` are ids of the calls that send tasks.

    Queries that read, builtins and a few methods of plain objects do not; any other call may.
    """
    for call in module.inside(block, ast.Call, nested=True):
        if id(call) in sends or _is_plain(module, call):
            continue
        found = query(module, call)
        if found is not None and {*found.methods} <= _READS:
            continue
        return True
    return any(
        isinstance(node.ctx, ast.Del) for node in module.inside(block, ast.Attribute, nested=True)
    )


def _is_plain(module: Module, call: ast.Call) -> bool:
    name = module.name(call.func) or ""
    if name.startswith(
        ("builtins.", "django.db.transaction.", "logging.", "celery.", "functools.")
    ):
        return True
    return isinstance(call.func, ast.Attribute) and call.func.attr in _HARMLESS
