"""What made the object whose method is called: a session, a client."""

import ast
from collections.abc import Collection

from offcanvas.audit.module import Module


def owner_made_by(module: Module, call: ast.Call, classes: Collection[str]) -> ast.expr | None:
    """The object whose method is called, if every value it may have is made by one of these."""
    if not isinstance(call.func, ast.Attribute):
        return None
    owner = call.func.value
    sources = [owner]
    if isinstance(owner, ast.Name):
        sources = [b.value for b in module.bindings(owner.id, owner) or () if b.value is not None]
    made = [s for s in sources if isinstance(s, ast.Call) and module.name(s.func) in classes]
    return owner if made and len(made) == len(sources) else None
