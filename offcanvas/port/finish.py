"""The end of a port: Celery's side goes, once nothing uses it.

What goes are the ported builders and the tasks that their canvases call: their bodies are in
``work`` already. A module in which nothing but the app is left goes as a whole. What is still used
anywhere keeps all of it: half a removal would be a broken program.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offcanvas.audit.module import Module
from offcanvas.errors import UsageError
from offcanvas.port import keep
from offcanvas.port.edits import Edits
from offcanvas.port.emit.files import without_unused_imports
from offcanvas.port.read.plan import read_plan
from offcanvas.port.read.project import open_project

if TYPE_CHECKING:
    from offcanvas.audit.project import Project
    from offcanvas.port.ir import Plan


class InUse(UsageError):  # noqa: N818 - the name of an error says what is wrong
    """Something still uses Celery's side; nothing was removed."""


@dataclass
class _Going:
    """What goes of one module: its functions by name, and the lines they stand in."""

    module: Module
    names: set[str] = field(default_factory=set)
    lines: set[int] = field(default_factory=set)


def finish(root: Path, package: str) -> dict[str, str | None]:
    """The files that change, with their new text; None for those that go.

    Raises:
        UsageError: the package is not a port, or its bodies are not in ``work``.
        InUse: something still uses what would go.
    """
    kept = keep.ported(root).get(package)
    if kept is None:
        known = ", ".join(sorted(keep.ported(root))) or "none here"
        raise UsageError(f"--finish {package}: no port of that name is known; there is {known}")
    project = open_project(root)
    plan = read_plan(project, kept)
    going = _going(project, plan)
    used = sorted(_uses(project, going, package))
    if used:
        raise InUse(
            f"--finish {package}: Celery's side is still used; nothing is removed\n  "
            + "\n  ".join(used)
        )
    changed: dict[str, str | None] = {}
    for path, one in going.items():
        text = _without(one)
        changed[path] = None if _is_empty(text) and not _imported(project, path, going) else text
    tests = f"{package}/tests/test_equivalence.py"
    if (root / tests).exists():
        changed[tests] = None
    return changed


def _going(project: Project, plan: Plan) -> dict[str, _Going]:
    going: dict[str, _Going] = {}
    wanted = [(c.place.path, c.function) for c in plan.canvases if not c.site]
    wanted += [(task.place.path, task.function) for task in plan.tasks.values()]
    for path, name in wanted:
        if path not in going:
            module = Module.opened(project, path)
            if module is None:
                raise UsageError(f"{path}: cannot be read as Python")
            going[path] = _Going(module)
        one = going[path]
        function = one.module.function_named(name)
        if function is None or function.owner is not None:
            continue
        one.names.add(function.name)
        node = function.node
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        one.lines.update(range(first, (node.end_lineno or node.lineno) + 1))
    return going


def _uses(project: Project, going: dict[str, _Going], package: str) -> Iterator[str]:
    """Where what goes is named outside of what goes."""
    targets = {
        f"{project.index.name_of(one.module.facts)}.{name}": name
        for one in going.values()
        for name in one.names
    }
    modules = {dotted.rpartition(".")[0] for dotted in targets}
    for path, facts in project.files.items():
        if path.startswith(f"{package}/"):
            continue
        own = going.get(path)
        names = {local for local, full in facts.imports.items() if full in targets}
        whole = {local for local, full in facts.imports.items() if full in modules}
        if own is not None:
            names |= own.names
        if not names and not whole:
            continue
        module = Module.opened(project, path)
        if module is None:
            continue
        for node in ast.walk(module.tree):
            line = getattr(node, "lineno", 0)
            if own is not None and line in own.lines:
                continue
            match node:
                case ast.Name(id=name, ctx=ast.Load()) if name in names:
                    yield f"{path}:{line}: {name}"
                case ast.Attribute(value=ast.Name(id=name), attr=attr) if (
                    name in whole and attr in targets.values()
                ):
                    yield f"{path}:{line}: {name}.{attr}"


def _without(one: _Going) -> str:
    edits = Edits(one.module.source)
    for name in one.names:
        function = one.module.function_named(name)
        if function is None:
            continue
        node = function.node
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        edits.cut(edits.offset(first, 0), edits.span(node)[1])
    text = re.sub(r"\n{4,}", "\n\n\n", edits.result()).rstrip() + "\n"
    return without_unused_imports(text)


def _is_empty(text: str) -> bool:
    """Whether nothing is left but imports, an app and its settings."""
    for statement in ast.parse(text).body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(value=ast.Call(func=ast.Name(id="Celery"))):
                continue
            case ast.Assign(targets=[ast.Attribute(value=ast.Attribute(attr="conf"))]):
                continue
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Attribute(attr="conf"), attr="update"))
            ):
                continue
            case _:
                return False
    return True


def _imported(project: Project, path: str, going: dict[str, _Going]) -> bool:
    """Whether a file that stays imports a module, for its app for example."""
    name = project.index.name_of(project.files[path])
    return any(
        full == name or full.startswith(f"{name}.")
        for other, facts in project.files.items()
        if other != path and other not in going
        for full in facts.imports.values()
    )
