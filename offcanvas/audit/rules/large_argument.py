"""File content, serialised objects or whole result sets sent through the broker.

Bad:
    from celery import shared_task

    @shared_task
    def load(content):
        ...

    def upload(path):
        with open(path, "rb") as file:
            load.delay(file.read())
Good:
    from celery import shared_task

    @shared_task
    def load(path):
        ...

    def upload(path):
        load.delay(path)
Why: The broker keeps every message in memory, and keeps it again for each retry. Large messages
    slow all queues, and SQS refuses more than 1 MB. Store the data and send its key.
Prefect: Parameters of a run are limited to 512 kB by default; large data belongs in storage.
Temporal: A payload is limited to 2 MB and a history to 50 MB; pass keys.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#data-locality
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._models import query
from offcanvas.audit.rules._rows import are_rows

_CONTAINERS: Final = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted"}
)
_UNKNOWN: Final = "its length cannot be told"
_CLIENTS: Final = ("requests.", "httpx.")


@module_rule("CEL204", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Arguments of every send and signature whose size has no bound that the source shows."""
    for send in module.sends:
        if send.canvas or send.how in {"retry", "replace", "add_to_chord", "apply"}:
            continue
        for argument in (*send.written, *send.named.values()):
            found = [_large(module, e) for e in module.possible(argument)]
            found.append(("rows of a file", _UNKNOWN) if are_rows(module, argument) else None)
            said = next((f for f in found if f is not None), None)
            if said is not None:
                what, doubt = said
                yield module.remark(
                    argument,
                    f"{module.text(argument)} sends {what} through the broker to "
                    f"{send.name or 'a task'}; store it and send its key",
                    doubt=doubt,
                )


def _large(module: Module, node: ast.expr) -> tuple[str, str] | None:
    """(what it is, doubt), or None."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _of_method(module, node, node.func)
    if isinstance(node, ast.Attribute):
        return _of_attribute(module, node)
    if isinstance(node, ast.Call) and node.args and module.name(node.func) in _CONTAINERS:
        return _of_query(module, node.args[0])
    if isinstance(node, ast.ListComp) and len(node.generators) == 1:
        return _of_query(module, node.generators[0].iter)
    return None


def _of_method(module: Module, node: ast.Call, func: ast.Attribute) -> tuple[str, str] | None:
    name = module.name(func) or ""
    if func.attr in {"read_text", "read_bytes", "getvalue"} and not node.args:
        return "the content of a file", ""
    if func.attr == "read" and not node.args and not node.keywords:
        opened = _opens(module, func.value)
        return ("the content of a file", "" if opened else _UNKNOWN)
    if func.attr in {"decode", "encode"}:
        inner = func.value
        return _large(module, inner) if isinstance(inner, ast.Call | ast.Attribute) else None
    if func.attr == "json" and name.startswith(_CLIENTS):
        return "an answer of unknown size", _UNKNOWN
    return None


def _opens(module: Module, node: ast.expr) -> bool:
    sources = [node]
    if isinstance(node, ast.Name):
        sources = [b.value for b in module.bindings(node.id, node) or () if b.value is not None]
    return any(isinstance(s, ast.Call) and module.name(s.func) == "builtins.open" for s in sources)


def _of_attribute(module: Module, node: ast.Attribute) -> tuple[str, str] | None:
    sources = module.possible(node.value)
    called = [module.name(s.func) or "" for s in sources if isinstance(s, ast.Call)]
    if node.attr == "data" and any(name.endswith("Serializer") for name in called):
        return "a serialised object", _UNKNOWN
    if node.attr in {"content", "text"} and any(name.startswith(_CLIENTS) for name in called):
        return "the body of an answer", _UNKNOWN
    return None


def _of_query(module: Module, node: ast.expr) -> tuple[str, str] | None:
    found = query(module, node)
    if found is None or found.bounded or found.kind not in {"rows", "queryset"}:
        return None
    return f"all rows of a query on {found.model.rpartition('.')[2]}", _UNKNOWN
