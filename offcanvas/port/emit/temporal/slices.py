"""Fan-outs of unknown width: what is done for a part of the items is a workflow of its own.

A Temporal history ends at 51,200 events. The workflow of a canvas does a fan-out itself as long as
it is narrow, and hands slices of its items to child workflows of the same class when it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from offcanvas.port import names as naming
from offcanvas.port.emit.statements import every
from offcanvas.port.ir import Param
from offcanvas.port.script import (
    Add,
    Beside,
    Branch,
    Collect,
    Do,
    Ending,
    Gather,
    Guarded,
    Head,
    Loop,
    Many,
    Return,
    ReturnCall,
    ReturnGather,
    Script,
    Set,
    Sliced,
    Statement,
    Step,
    Sub,
    SubCall,
)
from offcanvas.port.source import WIDE, free_names, targets, width

if TYPE_CHECKING:
    from offcanvas.port.script import Invocation


@dataclass
class Slices:
    """Takes the fan-outs of unknown width out of scripts. ``left`` are canvases that keep one."""

    steps: Mapping[str, Step]
    taken: set[str]
    """Names of workflows, as classes."""
    left: list[Script] = field(default_factory=list)

    def of(self, script: Script) -> list[Script]:
        """The script with its slices handed on, and the scripts that do them, behind it."""
        return _Taken(self, script).scripts()


@dataclass
class _Taken:
    slices: Slices
    script: Script
    keeps: bool = False
    """Its own fan-out stays: only those of its parts are taken out."""
    made: list[Script] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._subs = {sub.name: sub for sub in self.script.subs}
        self._inputs = {p.name: p.annotation or "Any" for p in self.script.canvas.params}

    def scripts(self) -> list[Script]:
        types = {**self._inputs, **dict(self._typed(self.script.body))}
        body = self.script.body if self.keeps else self._block(self.script.body, types)
        subs = []
        for sub in self._reached(body, self._subs):
            known = {**self._inputs, **{p.name: p.annotation for p in sub.params}}
            inner = self._block(sub.body, {**known, **dict(self._typed(sub.body))})
            subs.append(replace(sub, body=inner))
        named = {sub.name: sub for sub in subs}
        changed = replace(self.script, body=body, subs=tuple(self._reached(body, named)))
        return [changed, *self.made]

    def _typed(self, body: Iterable[Statement]) -> Iterator[tuple[str, str]]:
        """The variables of a routine with their types."""
        for one in every(body):
            match one:
                case Do(target=target, call=call) if target:
                    yield target, self._type(call)
                case Gather(target=target, type=type_) | Collect(target=target, type=type_):
                    yield target, type_
                case Set(target=target):
                    yield target, "Any"
                case _:
                    pass

    def _type(self, call: Invocation) -> str:
        if isinstance(call, SubCall):
            return self._subs[call.sub].returns
        return self.slices.steps[call.step].returns

    def _block(self, body: Sequence[Statement], types: Mapping[str, str]) -> tuple[Statement, ...]:
        return tuple(made for one in body for made in self._statement(one, types))

    def _statement(self, one: Statement, types: Mapping[str, str]) -> tuple[Statement, ...]:
        match one:
            case Gather() | ReturnGather() | Collect():
                return self._fan_out(one, types)
            case Branch(body=body, orelse=orelse):
                then, other = self._block(body, types), self._block(orelse, types)
                return (replace(one, body=then, orelse=other),)
            case Guarded(body=body) | Ending(body=body) | Beside(body=body):
                return (replace(one, body=self._block(body, types)),)
            case Loop(var=var, body=body):
                inner = {**types, **dict.fromkeys(targets(var), "Any")}
                return (replace(one, body=self._block(body, inner)),)
            case _:
                return (one,)

    def _fan_out(
        self, one: Gather | ReturnGather | Collect, types: Mapping[str, str]
    ) -> tuple[Statement, ...]:
        loop = _only_loop(one)
        if loop is None or not _is_wide(loop[1]):
            if _wide_inside(one):
                self.slices.left.append(self.script)
            return (one,)
        var, over = loop
        loops = {*targets(var)}
        param = over if over.isidentifier() and over not in loops else self._plural(var, types)
        names = [name for text in _texts(one) for name in free_names(text)]
        if param in names:
            self.slices.left.append(self.script)  # its members look at the whole list
            return (one,)
        given = tuple(dict.fromkeys(n for n in names if n in types and n not in loops))
        known = types.get(over, "")
        items = Param(param, known if known.startswith("list[") else "list[Any]")
        canvas = self.script.canvas
        name = naming.snake(f"{canvas.name}_{param}")
        while naming.camel(name) in self.slices.taken:
            name += "_too"
        self.slices.taken.add(naming.camel(name))
        whole = f"`{naming.camel(canvas.name)}`"
        child = replace(
            canvas,
            name=name,
            params=(items, *(Param(n, types[n]) for n in given)),
            data=(),
            doc=f"Some of the {param.replace('_', ' ')} of {whole}: all, or a slice of them.",
            how="returned",
            rows=(),
        )
        body = _over(one, param)
        script = Script(child, body, tuple(self._reached(body, self._subs)), one.type)
        self.made += _Taken(self.slices, script, keeps=True).scripts()
        target = None if isinstance(one, ReturnGather) else one.target
        return (Sliced(name, param, over, given, target, one.type),)

    def _plural(self, var: str, types: Mapping[str, str]) -> str:
        name = naming.plural(var) if var.isidentifier() else "items"
        return naming.unused(name, {*types, *targets(var)})

    def _reached(self, body: Iterable[Statement], subs: Mapping[str, Sub]) -> list[Sub]:
        """The parts that statements call, and those that these call, in their order."""
        wanted: set[str] = set()
        pending = _sub_calls(body)
        while pending:
            name = pending.pop()
            if name not in wanted:
                wanted.add(name)
                pending += _sub_calls(subs[name].body)
        return [sub for name, sub in subs.items() if name in wanted]


def _sub_calls(body: Iterable[Statement]) -> list[str]:
    return [call.sub for call in _calls(body) if isinstance(call, SubCall)]


def _calls(body: Iterable[Statement]) -> Iterator[Invocation]:
    for one in every(body):
        match one:
            case Do(call=call) | ReturnCall(call=call) | Add(call=call):
                yield call
            case Gather(members=members) | ReturnGather(members=members):
                yield from (member.call for member in members)
            case _:
                pass


def _only_loop(one: Gather | ReturnGather | Collect) -> tuple[str, str] | None:
    """The variable and the iterable of a fan-out that is one loop and nothing else."""
    match one:
        case Gather(members=(Many(heads=(head, *_)),)):
            return head.var, head.over
        case ReturnGather(members=(Many(heads=(head, *_)),)):
            return head.var, head.over
        case Collect(body=(Loop(var=var, over=over),)):
            return var, over
        case _:
            return None


def _over(one: Gather | ReturnGather | Collect, param: str) -> tuple[Statement, ...]:
    """The same fan-out over ``param``, as the statements of a routine."""
    match one:
        case (
            Gather(members=(Many(call=call, heads=(head, *heads)),))
            | ReturnGather(members=(Many(call=call, heads=(head, *heads)),))
        ):
            member = Many(call, (Head(head.var, param, head.test), *heads))
            return (ReturnGather((member,), one.type),)
        case Collect(body=(Loop() as loop,)):
            body = (replace(loop, over=param),)
            return (Collect("results", body, one.type), Return("results"))
        case _:
            raise TypeError(f"not one loop: {one!r}")


def _is_wide(over: str) -> bool:
    found = width(over)
    # The parts of chunks are a range over a list that each of them looks at.
    return (found is None and not over.startswith("range(")) or (found or 0) > WIDE


def _wide_inside(one: Gather | ReturnGather | Collect) -> bool:
    if isinstance(one, Collect):
        loops = [inner for inner in every(one.body) if isinstance(inner, Loop)]
        return any(width(loop.over) is None for loop in loops)
    heads = [head for member in one.members if isinstance(member, Many) for head in member.heads]
    return any(width(head.over) is None for head in heads)


def _texts(one: Gather | ReturnGather | Collect) -> list[str]:
    """The expressions of a fan-out, without its first iterable."""
    found: list[str] = []
    if isinstance(one, Collect):
        inner = list(every(one.body))
        found += [loop.over for loop in inner if isinstance(loop, Loop)][1:]
        found += [branch.test for branch in inner if isinstance(branch, Branch)]
    else:
        for member in one.members:
            heads = member.heads if isinstance(member, Many) else ()
            found += [head.over for head in heads[1:]]
            found += [head.test for head in heads if head.test]
    return [*found, *(text for call in _calls((one,)) for text in _texts_of(call))]


def _texts_of(call: Invocation) -> list[str]:
    if isinstance(call, SubCall):
        return list(call.args)
    return [given.value for given in call.given if isinstance(given.value, str)]
