"""Which exception handlers catch everything, and what they do about it."""

import ast
from collections.abc import Container, Iterator
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK

BROAD: Final = frozenset({"builtins.Exception", "builtins.BaseException"})
_LOGS: Final = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print"}
)


def caught(module: Module, handler: ast.ExceptHandler) -> list[str | None]:
    """Canonical names of what a handler catches; a bare `except:` is BaseException."""
    if handler.type is None:
        return ["builtins.BaseException"]
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [module.name(t) for t in types]


def is_broad(module: Module, handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches every exception."""
    return any(name in BROAD for name in caught(module, handler))


def tries_around(module: Module, node: ast.AST) -> Iterator[ast.Try]:
    """The try statements whose body (not whose handlers) a node is in, innermost first."""
    below = node
    for ancestor in module.around(node):
        if isinstance(ancestor, ast.Try) and any(below is s for s in ancestor.body):
            yield ancestor
        below = ancestor


def suppressing(module: Module, node: ast.AST, kinds: Container[str | None]) -> Iterator[ast.Call]:
    """The `suppress(...)` of a with statement that take one of these kinds."""
    for item in node.items if isinstance(node, ast.With) else ():
        made = item.context_expr
        if (
            isinstance(made, ast.Call)
            and module.name(made.func) == "contextlib.suppress"
            and any(module.name(kind) in kinds for kind in made.args)
        ):
            yield made


def broad_handler(module: Module, node: ast.AST) -> ast.ExceptHandler | None:
    """The handler that catches whatever a node raises and does not raise it again, or None."""
    for block in tries_around(module, node):
        for handler in block.handlers:
            if is_broad(module, handler):
                return handler if not raises(module, handler) else None
    return None


def raises(module: Module, handler: ast.AST) -> bool:
    """Whether something in a handler raises, `self.retry()` and `self.replace()` included."""
    if any(module.inside(handler, ast.Raise)):
        return True
    return any(
        module.name(c.func) in {f"{TASK}.retry", f"{TASK}.replace", "sys.exit", "os._exit"}
        for c in module.inside(handler, ast.Call)
    )


def only_logs(module: Module, handler: ast.ExceptHandler) -> bool:
    """Whether a handler passes or logs and does nothing else about it."""
    for statement in handler.body:
        if isinstance(statement, ast.Pass | ast.Continue):
            continue
        if not isinstance(statement, ast.Expr):
            return False
        call = statement.value
        if isinstance(call, ast.Constant):
            continue
        name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
        if name.rpartition(".")[2] not in _LOGS:
            return False
    return True
