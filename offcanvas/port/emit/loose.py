"""Projects without annotations: what `mypy --strict` is told of the files that call them.

What is emitted has types. It calls functions of the project, and ``work`` holds what came with the
bodies, and those may have none. A line for mypy in the files that this concerns says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from offcanvas.audit.module import Module

if TYPE_CHECKING:
    from offcanvas.audit.project import Project

_MARK: Final = "# mypy: "
_WHY: Final = "# What is called here, or came along, has no annotations yet."

_Def: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def marked(files: Mapping[str, str], project: Project) -> dict[str, str]:
    """The files, with a line for mypy in those that define or call what has no annotations."""
    trees = {path: ast.parse(text) for path, text in files.items() if path.endswith(".py")}
    untyped = {path: frozenset(_untyped(tree)) for path, tree in trees.items()}
    known = _Known(project, {_dotted(path): names for path, names in untyped.items()})
    done = dict(files)
    for path, tree in trees.items():
        flags = {"allow-untyped-defs"} if untyped[path] else set()
        flags |= {"allow-untyped-calls"} if any(known.called(tree, untyped[path])) else set()
        flags |= {"allow-untyped-decorators"} if any(known.around(tree, untyped[path])) else set()
        if flags and f"\n{_MARK}" not in files[path]:
            lines = files[path].splitlines(keepends=True)
            first = tree.body[0]
            at = (first.end_lineno or 1) if isinstance(first, ast.Expr) else 0
            lines.insert(at, f"\n{_WHY}\n{_MARK}{', '.join(sorted(flags))}\n")
            done[path] = "".join(lines)
    return done


class _Known:
    """Which functions of the project's modules, and of what is emitted, have no annotations."""

    def __init__(self, project: Project, emitted: Mapping[str, frozenset[str]]) -> None:
        self._project = project
        self._found: dict[str, frozenset[str]] = dict(emitted)

    def called(self, tree: ast.Module, own: frozenset[str]) -> Iterator[bool]:
        """For each call, whether it is of such a function."""
        bound = _imports(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield self._is_untyped(node.func, bound, own)

    def around(self, tree: ast.Module, own: frozenset[str]) -> Iterator[bool]:
        """For each decorator of a function, whether it is such a function."""
        bound = _imports(tree)
        for node in ast.walk(tree):
            if isinstance(node, _Def):
                for one in node.decorator_list:
                    yield self._is_untyped(one, bound, own)

    def _is_untyped(self, node: ast.expr, bound: Mapping[str, str], own: frozenset[str]) -> bool:
        match node:
            case ast.Call(func=func):
                return self._is_untyped(func, bound, own)
            case ast.Name(id=name) if name in bound:
                module, _, last = bound[name].rpartition(".")
                return last in self._of(module)
            case ast.Name(id=name):
                return name in own
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in bound:
                return attr in self._of(bound[name])
            case _:
                return False

    def _of(self, dotted: str) -> frozenset[str]:
        if dotted not in self._found:
            facts = self._project.index.module(dotted)
            module = Module.opened(self._project, facts.path) if facts is not None else None
            names = frozenset(_untyped(module.tree)) if module is not None else frozenset()
            self._found[dotted] = names
        return self._found[dotted]


def _imports(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.asname or a.name: a.name for a in node.names}
    return found


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _untyped(tree: ast.Module) -> Iterator[str]:
    """The functions of a module without full annotations, and the classes with such methods."""
    for node in tree.body:
        if isinstance(node, _Def) and _is_bare(node):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, _Def)]
            if any(_is_bare(one, method=True) for one in methods):
                yield node.name


def _is_bare(function: _Def, *, method: bool = False) -> bool:
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args][int(method) :]
    given += [*arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
    if any(one.annotation is None for one in given):
        return True
    made = function.name == "__init__" and bool(given)
    return function.returns is None and not made
