"""Dictionaries as programs put them together, read entry by entry.

Displays, `dict(...)`, `**spread`, `|`, `a if p else b`, what a function returns, and what is added
later: `SCHEDULE["x"] = {...}`, `SCHEDULE |= {...}`, `SCHEDULE.update({...})`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.resolution import literal
from offcanvas.audit.values import Call, Dict, Either, Item, Name, Opaque, Value, Worked


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. key: "?" when it is not a literal, the beginning of an f-string with "..."."""

    key: str
    value: Value
    facts: ModuleFacts
    scope: str
    line: int


def entries(
    index: Index, facts: ModuleFacts, value: Value, scope: str = "", line: int = 0, depth: int = 8
) -> Iterator[Entry]:
    """Every entry that a dictionary may have, in the order of writing as far as there is one."""
    if depth == 0:
        return
    if isinstance(value, Dict):
        for key, item, at in value.items:
            if key is None:
                yield from entries(index, facts, item, scope, at, depth - 1)
            else:
                yield Entry(_key(index, facts, key, scope), item, facts, scope, at)
    elif isinstance(value, Either):
        for option in value.options:
            yield from entries(index, facts, option, scope, line, depth - 1)
    elif isinstance(value, Worked) and value.work == "|":
        for side in (value.left, value.right):
            yield from entries(index, facts, side, scope, line, depth - 1)
    elif isinstance(value, Name):
        yield from _of_name(index, facts, value, scope, line, depth)
    elif isinstance(value, Item):
        found = index.item(facts, value, scope)
        if found is not None:
            yield from entries(index, found[0], found[1], found[2], line, depth - 1)
    elif isinstance(value, Call):
        yield from _of_call(index, facts, value, scope, depth)


def _of_call(
    index: Index, facts: ModuleFacts, call: Call, scope: str, depth: int
) -> Iterator[Entry]:
    if call.func == Name("dict"):
        for argument in call.args:
            yield from entries(index, facts, argument, scope, call.line, depth - 1)
        for key, item in call.keywords:
            if key is None:
                yield from entries(index, facts, item, scope, call.line, depth - 1)
            else:
                yield Entry(key, item, facts, scope, call.line)
        return
    name = index.called(facts, call, scope)
    if name is not None and name.endswith(".copy") and isinstance(call.func, Name):
        copied = Name(call.func.dotted.removesuffix(".copy"))
        yield from entries(index, facts, copied, scope, call.line, depth - 1)
        return
    made = index.function(name) if name is not None else None
    if made is not None:
        for returned in made[1].returns:
            yield from entries(index, made[0], returned, made[1].qualname, made[1].line, depth - 1)


def _of_name(
    index: Index, facts: ModuleFacts, name: Name, scope: str, line: int, depth: int
) -> Iterator[Entry]:
    local = facts.local(scope, name.dotted) if scope else ()
    for value in local:
        yield from entries(index, facts, value, scope, line, depth - 1)
    if local:
        yield from _added(index, facts, name.dotted, scope, depth)
        return
    canonical = index.resolve(facts, name.dotted, scope)
    assigned = index.value(canonical)
    if assigned is None:
        return
    there, value = assigned
    yield from entries(index, there, value, "", line, depth - 1)
    yield from _added(index, there, canonical.rpartition(".")[2], "", depth)


def _added(index: Index, facts: ModuleFacts, name: str, scope: str, depth: int) -> Iterator[Entry]:
    """What is put into a dictionary after it was made."""
    for store in facts.stores:
        if store.target != name or (scope and not _same(store.scope, scope)):
            continue
        if store.key == "|=":
            yield from entries(index, facts, store.value, store.scope, store.line, depth - 1)
        elif store.key is not None:
            yield Entry(store.key, store.value, facts, store.scope, store.line)
    for loose in facts.loose:
        if loose.call.func == Name(f"{name}.update") and (not scope or _same(loose.scope, scope)):
            made = Call(Name("dict"), loose.call.args, loose.call.keywords, loose.call.line)
            yield from entries(index, facts, made, loose.scope, loose.call.line, depth - 1)


def _same(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _key(index: Index, facts: ModuleFacts, key: Value, scope: str) -> str:
    said = literal(index.constant(facts, key, scope))
    if isinstance(said, str):
        return said
    return f"{key.start}..." if isinstance(key, Opaque) and key.start else "?"


def field(found: list[Entry], key: str) -> Entry | None:
    """The last entry under a key, or None."""
    return next((e for e in reversed(found) if e.key == key), None)
