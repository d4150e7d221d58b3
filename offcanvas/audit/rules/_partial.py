"""Write `f(a, b)` as `partial(f, a, b)`, comments and line breaks included."""

import ast

from offcanvas.audit.module import Module

IMPORT = ("functools", "partial")


def is_free(module: Module, at: ast.AST) -> bool:
    """Whether `partial` means functools.partial, or nothing yet, where `at` stands."""
    imported = module.facts.imports.get("partial", "functools.partial")
    return imported == "functools.partial" and not module.bindings("partial", at)


def partial_of(module: Module, call: ast.Call) -> str:
    """The source of the partial that, called, does what the call does now."""
    func, whole = module.segment(call.func), module.segment(call)
    rest = whole[len(func) :].strip()
    if not (whole.startswith(func) and rest.startswith("(")):  # `(task.delay)(1)`
        func, whole = ast.unparse(call.func), ast.unparse(call)
        rest = whole.removeprefix(func)
    inside = rest[1:-1]
    if not inside.strip():
        return f"partial({func})"
    # No blank at the end of a line: the arguments may begin on the next one.
    return f"partial({func},{'' if inside[0].isspace() else ' '}{inside})"
