"""What is in a list of statements: those below them, their calls, the names they bind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offcanvas.port.script import (
    Add,
    Beside,
    Branch,
    Collect,
    Do,
    Ending,
    Gather,
    Guarded,
    Loop,
    Many,
    ReturnCall,
    ReturnGather,
    Set,
    StepCall,
)
from offcanvas.port.source import targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from offcanvas.port.script import Script, Statement


def every(statements: Iterable[Statement]) -> Iterator[Statement]:
    """The statements and all that are inside of them."""
    for statement in statements:
        yield statement
        match statement:
            case Branch(body=body, orelse=orelse):
                yield from every((*body, *orelse))
            case Collect(body=body) | Loop(body=body) | Guarded(body=body) | Beside(body=body):
                yield from every(body)
            case Ending(body=body):
                yield from every(body)
            case _:
                pass


def step_calls(statements: Iterable[Statement]) -> Iterator[StepCall]:
    """All calls of steps, error callbacks included."""
    for statement in every(statements):
        match statement:
            case Do(call=call) | ReturnCall(call=call) | Add(call=call):
                found = [call]
            case Gather(members=members) | ReturnGather(members=members):
                found = [member.call for member in members]
            case Guarded(errbacks=errbacks):
                found = list(errbacks)
            case _:
                found = []
        yield from (call for call in found if isinstance(call, StepCall))


def names_of(script: Script) -> set[str]:
    """All names that a script binds: inputs, data, variables, those of its loops."""
    found = {p.name for p in script.canvas.params} | {one.name for one in script.canvas.data}
    for sub in script.subs:
        found |= {p.name for p in sub.params}
    bodies = [script.body, *(sub.body for sub in script.subs)]
    for statement in (one for body in bodies for one in every(body)):
        match statement:
            case Do(target=target) | Set(target=target) | Collect(target=target):
                found.add(target)
            case Gather(target=target, members=members):
                found.add(target)
                found.update(*map(_loop_names, members))
            case ReturnGather(members=members):
                found.update(*map(_loop_names, members))
            case Loop(var=var):
                found.update(targets(var))
            case _:
                pass
    return found - {""}


def _loop_names(member: object) -> set[str]:
    if not isinstance(member, Many):
        return set()
    return {name for head in member.heads for name in targets(head.var)}
