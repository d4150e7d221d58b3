"""One file with its syntax tree, seen through the project's index: what rules look at.

The three questions that rules ask most:

    module.name(node)      "django.db.transaction.on_commit", "celery.Task.delay", ...
    module.instance(node)  the class that an expression is an object of
    module.function(node)  the function around a node
"""

import ast
from collections.abc import Iterator
from functools import cached_property

from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.outline import Outline
from offcanvas.audit.outline_find import find_canvases
from offcanvas.audit.outline_read import outline_of
from offcanvas.audit.project import Project
from offcanvas.audit.resolved import ResolvedTree
from offcanvas.audit.sends import Send, find_sends
from offcanvas.audit.tree import Function


class Module(ResolvedTree):
    """A file as rules see it; see the module's docstring."""

    @property
    def tasks(self) -> list[Function]:
        """The functions of this file that are tasks (class tasks: their `run`)."""
        return [f for f in self.functions if f.task is not None]

    @cached_property
    def sends(self) -> list[Send]:
        """Every call that sends a task or makes a signature of one; see `sends.Send`."""
        return find_sends(self)

    @cached_property
    def canvases(self) -> list[Outline]:
        """The outermost canvases of this file; see `outline.Outline`."""
        return find_canvases(self)

    def outline(self, node: ast.expr) -> Outline | None:
        """The canvas or signature that an expression builds, or None when it builds none."""
        return outline_of(self, node)

    def remark(
        self,
        node: ast.AST,
        message: str,
        *,
        doubt: str = "",
        edits: tuple[Edit, ...] = (),
        imports: tuple[tuple[str, str], ...] = (),
        related: tuple[tuple[str, int, str], ...] = (),
        severity: Severity | None = None,
    ) -> Remark:
        """A remark at a node. With doubt it is one step milder."""
        return Remark(
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
            severity=severity,
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


def modules(project: Project) -> Iterator[Module]:
    """The files worth opening (`Project.celery_files`), opened one after the other."""
    for path in project.celery_files:
        module = Module.opened(project, path)
        if module is not None:
            yield module
