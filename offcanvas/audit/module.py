"""One file with its syntax tree, seen through the project's index: what rules look at.

The three questions that rules ask most:

    module.name(node)      "django.db.transaction.on_commit", "celery.Task.delay", ...
    module.instance(node)  the class that an expression is an object of
    module.function(node)  the function around a node
"""

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from offcanvas.audit.finding import Edit, Finding
from offcanvas.audit.resolved import ResolvedTree
from offcanvas.audit.tree import Function

if TYPE_CHECKING:
    from offcanvas.audit.outline import Outline
    from offcanvas.audit.sends import Send


class Module(ResolvedTree):
    """A file as rules see it; see the module's docstring."""

    @property
    def tasks(self) -> list[Function]:
        """The functions of this file that are tasks (class tasks: their `run`)."""
        return [f for f in self.functions if f.task is not None]

    @cached_property
    def sends(self) -> list["Send"]:
        """Every call that sends a task or makes a signature of one; see `sends.Send`."""
        from offcanvas.audit.sends import find_sends

        return find_sends(self)

    @cached_property
    def canvases(self) -> list["Outline"]:
        """The outermost canvases of this file; see `outline.Outline`."""
        from offcanvas.audit.outline_find import find_canvases

        return find_canvases(self)

    def outline(self, node: ast.expr) -> "Outline | None":
        """The canvas or signature that an expression builds, or None when it builds none."""
        from offcanvas.audit.outline_read import outline_of

        return outline_of(self, node)

    def callee(self, call: ast.Call) -> "tuple[Module, Function] | None":
        """The project's function that a call runs, with its file: to look one call deep."""
        name = self.name(call.func)
        found = self.project.index.function(name) if name is not None else None
        if found is None:
            return None
        module = self.project.open(found[0].path)
        function = module.function_named(found[1].qualname) if module is not None else None
        return (module, function) if module is not None and function is not None else None

    def finding(
        self,
        node: ast.AST,
        message: str,
        *,
        doubt: str = "",
        edits: tuple[Edit, ...] = (),
        imports: tuple[tuple[str, str], ...] = (),
        related: tuple[tuple[str, int, str], ...] = (),
    ) -> Finding:
        """A finding at a node, for the rule that is running. With doubt it is one step milder."""
        return self.project.finding(
            self.path,
            getattr(node, "lineno", 1),
            getattr(node, "col_offset", 0) + 1,
            message,
            doubt=doubt,
            # Columns of a file that had to be rewritten to be read may be off by a few.
            edits=edits if self.exact else (),
            imports=imports,
            related=related,
            end_line=getattr(node, "end_lineno", None) or 0,
        )

    def replace(self, node: ast.expr, text: str) -> Edit:
        """An edit that replaces an expression."""
        return Edit(
            node.lineno,
            node.col_offset,
            node.end_lineno or node.lineno,
            node.end_col_offset or node.col_offset,
            text,
        )
