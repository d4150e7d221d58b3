"""The project that a target belongs to, and the functions that a target names."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from offcanvas.audit import facts_read
from offcanvas.audit.cache import Cache, digest
from offcanvas.audit.discover import discover, left_out
from offcanvas.audit.module import Module
from offcanvas.audit.names import RESULT, SIGNATURE, TASK
from offcanvas.audit.project import Project
from offcanvas.audit.syntax import UnreadableError, parse, read_source
from offcanvas.errors import BadTarget, UsageError
from offcanvas.files import cache_folder

if TYPE_CHECKING:
    from offcanvas.audit.facts import ModuleFacts
    from offcanvas.audit.tree import Function

_CALLBACKS: Final = frozenset({"link", "link_error", "on_error"})
_WITH_OPTIONS: Final = frozenset(
    f"{what}.{method}"
    for what in (TASK, SIGNATURE)
    for method in ("apply_async", "set", "signature", "subtask")
)
#: Without one of these no canvas is made in a file.
_SPEAKS: Final = re.compile(
    r"\bchain\b|\bgroup\b|\bchord\b|\bchunks\b|\bstarmap\b|\.map\(|\.si?\(|signature|subtask"
    r"|\blink\b|link_error|on_error|\) \| |\|="
)
_PLACE: Final = re.compile(r"(.+\.py):(\d+)")


def open_project(root: Path, *, tests: bool = True) -> Project:
    """All Python files below a folder as a project of the audit's; what cannot be read is left out.

    Facts are cached by content, as the audit caches them. ``tests``: also tests and migrations,
    which may call what is ported.

    Raises:
        UsageError: there is no such folder.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder")
    cache = Cache(root, cache_folder())
    known = cache.known_facts()
    facts: list[ModuleFacts] = []
    read: dict[bytes, ModuleFacts] = {}
    for path in discover(root, (), tests=tests, unreadable={}, deploy=[]):
        try:
            source = read_source(root / path)
            key = digest(source)
            if key in known:
                facts.append(_placed(known[key], path))
                continue
            found = facts_read.extract(path, source, parse(source))
        except UnreadableError:
            continue
        facts.append(found)
        read[key] = found
    if read:
        cache.keep_facts(read)
    return Project(facts, root=root)


def _placed(facts: ModuleFacts, path: str) -> ModuleFacts:
    from dataclasses import replace

    return replace(facts, path=path)


def functions(project: Project, target: str) -> list[tuple[Module, Function]]:
    """The builders that a target names: ``module:function``, ``file.py:line`` or ``.``.

    Raises:
        BadTarget: it names nothing, or something that is not a function.
    """
    if target == ".":
        return list(all_builders(project))
    place = _PLACE.fullmatch(target)
    if place is not None:
        return [_at(project, Path(place[1]), int(place[2]))]
    name, colon, path = target.partition(":")
    if not colon or not path:
        raise BadTarget(
            f"{target}: write it as package.module:function, file.py:line, or . for the project"
        )
    facts = project.index.module(name)
    if facts is None:
        raise BadTarget(f"{target}: there is no module {name} below {project.root.resolve()}")
    module = Module.opened(project, facts.path)
    function = module.function_named(path) if module is not None else None
    if module is None or function is None:
        raise BadTarget(f"{target}: {facts.path} has no function {path}")
    return [(module, function)]


def _at(project: Project, file: Path, line: int) -> tuple[Module, Function]:
    root = project.root.resolve()
    if not file.is_file():
        raise BadTarget(f"{file}:{line}: there is no such file")
    try:
        path = file.resolve().relative_to(root).as_posix()
    except ValueError:
        raise BadTarget(f"{file}:{line}: the file is not below {root}") from None
    module = Module.opened(project, path) if path in project.files else None
    if module is None:
        raise BadTarget(f"{file}:{line}: the file cannot be read as Python")
    around = [
        f
        for f in module.functions
        if f.node.lineno <= line <= (f.node.end_lineno or f.node.lineno)
        or any(d.lineno == line for d in f.node.decorator_list)
    ]
    if not around:
        places = ", ".join(str(f.node.lineno) for f in builders(module)) or "none"
        raise BadTarget(f"{file}:{line}: no function is at that line; builders are at: {places}")
    return module, min(around, key=lambda f: (f.node.end_lineno or 0) - f.node.lineno)


def all_builders(project: Project, *, tests: bool = False) -> Iterator[tuple[Module, Function]]:
    """The builders of all files, each with its file; ``tests``: of tests and migrations too."""
    for path in project.celery_files:
        if left_out(path, tests=tests) or not _may_build(project.text(path)):
            continue
        module = Module.opened(project, path)
        if module is None:
            continue
        for function in builders(module):
            yield module, function


def _may_build(text: str) -> bool:
    return bool(_SPEAKS.search(text)) or (".replace(" in text and "bind" in text)


def builders(module: Module) -> Iterator[Function]:
    """The functions of a file that make a canvas and return, send, or replace themselves by it."""
    wanted: dict[str, Function] = {}
    for outline in module.canvases:
        if not outline.is_canvas:
            continue
        function = module.function(outline.node)
        while function is not None and function.outer is not None:
            function = function.outer
        if function is not None:
            wanted.setdefault(function.qualname, function)
    marks: list[ast.AST] = [
        call
        for call in module.walk(ast.Call)
        if _replaces(module, call) or _calls_back(module, call)
    ]
    marks += [grown for grown in module.walk(ast.AugAssign) if _grows(module, grown)]
    for mark in marks:
        function = module.function(mark)
        while function is not None and function.outer is not None:
            function = function.outer
        if function is not None:
            wanted.setdefault(function.qualname, function)
    helped = _helpers(module, wanted)
    yield from (f for name, f in wanted.items() if name not in helped or _gives_back(module, f))


def _grows(module: Module, statement: ast.AugAssign) -> bool:
    """Whether it is ``canvas |= step``, where nothing else says that there is a canvas."""
    return isinstance(statement.op, ast.BitOr) and module.instance(statement.value) == SIGNATURE


def _replaces(module: Module, call: ast.Call) -> bool:
    """Whether a call is one of ``self.replace``."""
    method = call.func
    named = isinstance(method, ast.Attribute) and method.attr == "replace"
    return named and module.name(method) == f"{TASK}.replace"


def _calls_back(module: Module, call: ast.Call) -> bool:
    """Whether a call hangs a callback on a signature, or sends a task with one."""
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr in _CALLBACKS:
        return module.instance(call.func.value) == SIGNATURE
    if not {k.arg for k in call.keywords} & {"link", "link_error"}:
        return False
    return module.name(call.func) in _WITH_OPTIONS


def _helpers(module: Module, builders_: Container[str]) -> frozenset[str]:
    """Those of a file's builders that another function of this file calls."""
    lasts = {f.name for f in module.functions if f.qualname in builders_}
    called: set[str] = set()
    for call in module.walk(ast.Call):
        func = call.func
        last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if last not in lasts:
            continue
        found = module.callee(call)
        if found is not None and found[0] is module and found[1].task is None:
            called.add(found[1].qualname)
    return frozenset(called)


def _gives_back(module: Module, function: Function) -> bool:
    """Whether a function sends what it builds, so that it is not only a helper."""
    return any(
        module.instance(node) == RESULT for node in module.inside(function.node, ast.Call)
    ) or not any(
        r.value is not None and module.instance(r.value) == SIGNATURE
        for r in module.inside(function.node, ast.Return)
    )
