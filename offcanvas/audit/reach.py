"""What a call leads to: helpers and methods of the project, as deep as they are written (bounded).

A rule judges one function at a time; what it says about a function, and which functions that one
calls, is remembered, so that a helper that many tasks call is read once.
"""

import ast
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from offcanvas.audit.module import Module
from offcanvas.audit.tree import Function

_DEEP: Final = 8
"""Calls from the first one to the place that is looked for."""
_MOST: Final = 60
"""Functions that are looked at for one call."""
_RUN_WHAT_THEY_GET: Final = frozenset({"builtins.map", "builtins.filter"})
_SUBMIT: Final = frozenset({"map", "imap", "submit"})

Key: TypeAlias = tuple[str, str]
"""(path, qualified name) of a function."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a rule looks for, where a function has it."""

    line: int
    what: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """A place that a call leads to. through: the functions on the way, the first one first."""

    path: str
    place: Place
    through: tuple[str, ...]

    @property
    def way(self) -> str:
        """ "load() -> fetch()": for a message."""
        return " -> ".join(f"{name}()" for name in self.through)


Judge: TypeAlias = Callable[[Module, Function], Place | None]


def leads_to(module: Module, call: ast.Call, judge: Judge) -> Reached | None:
    """The nearest place that a function of the project, run by this call, has or leads to.

    Tasks are not looked into: what they do is said where they are written.
    """
    memory = module.project.memory
    queue: deque[tuple[Key, tuple[str, ...]]] = deque(
        (key, (key[1].rpartition(".")[2],)) for key in _called_by(module, call)
    )
    seen = {key for key, _ in queue}
    while queue:
        key, through = queue.popleft()
        place = _judged(module, key, judge, memory)
        if place is not None:
            return Reached(key[0], place, through)
        if len(through) >= _DEEP:
            continue
        for callee in _callees(module, key, memory):
            if callee not in seen and len(seen) < _MOST:
                seen.add(callee)
                queue.append((callee, (*through, callee[1].rpartition(".")[2])))
    return None


def _judged(module: Module, key: Key, judge: Judge, memory: dict[object, object]) -> Place | None:
    if (judge, key) not in memory:
        found = _opened(module, key)
        memory[judge, key] = judge(*found) if found is not None else None
    place = memory[judge, key]
    return place if isinstance(place, Place) else None


def _callees(module: Module, key: Key, memory: dict[object, object]) -> tuple[Key, ...]:
    known = memory.get(key)
    if not isinstance(known, tuple):
        found = _opened(module, key)
        calls = found[0].inside(found[1].node, ast.Call) if found is not None else ()
        every = (k for c in calls for k in _called_by(found[0], c)) if found is not None else ()
        known = memory[key] = tuple(dict.fromkeys(every))
    return known


def _opened(module: Module, key: Key) -> tuple[Module, Function] | None:
    there = module.open(key[0])
    function = there.function_named(key[1]) if there is not None else None
    if there is None or function is None or function.task is not None:
        return None
    return None if function.part_of is not None else (there, function)


def _called_by(module: Module, call: ast.Call) -> Iterator[Key]:
    """The project's functions that a call runs: its own, and what it is given to run."""
    name = module.name(call.func)
    own = _key(module, name)
    if own is not None:
        yield own
        return
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    given = call.args[0] if call.args else None
    if given is not None and (name in _RUN_WHAT_THEY_GET or (method in _SUBMIT and name is None)):
        passed = _key(module, module.name(given))
        if passed is not None:
            yield passed
    if isinstance(call.func, ast.Name):
        kind = module.instance(call.func)
        called = _key(module, f"{kind}.__call__") if kind is not None else None
        if called is not None:
            yield called


def _key(module: Module, name: str | None) -> Key | None:
    """The function behind a canonical name; of a class its `__init__`."""
    if name is None or name.startswith(("celery.", "builtins.", "django.")):
        return None
    index = module.project.index
    found = index.function(name)
    if found is None and index.class_(name) is not None:
        found = index.function(index.method(name, "__init__"))
    return (found[0].path, found[1].qualname) if found is not None else None
