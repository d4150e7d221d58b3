"""Calls of a trace as text: what the emitted tests with stubs in the place of steps compare."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from offcanvas.port.check import FailedError
from offcanvas.port.trace import Made, Unspelled, spelled

if TYPE_CHECKING:
    from offcanvas.port.ir import Param
    from offcanvas.port.script import Script
    from offcanvas.port.trace import Trace

#: The name that a call's step has in the port, and its arguments in the order of its parameters.
Spelling: TypeAlias = Callable[[Made], tuple[str, list[object]]]


@dataclass(frozen=True, slots=True)
class Stubbed:
    """A trace as source: data by step, the calls in the order of their text, and how it ends."""

    script: Script
    given: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    calls: tuple[str, ...]
    ends: str
    fails: str


def stubbed(script: Script, found: Iterable[Trace], spelling: Spelling, rows: str) -> list[Stubbed]:
    """The traces of a canvas that can be written down; ``rows`` is the module of its rows."""
    made: list[Stubbed] = []
    for trace in found:
        try:
            made.append(_stubbed(script, trace, spelling, rows))
        except Unspelled:
            continue
    return made


def _stubbed(script: Script, trace: Trace, spelling: Spelling, rows: str) -> Stubbed:
    names = {call.step.name: spelling(call)[0] for call in trace.calls}
    loads = {call.step.name: call.step.load for call in trace.calls}
    data = [
        (names[name], spelled(value, rows, loads[name]))
        for name, value in trace.data.items()
        if name in names
    ]
    given = [(name, spelled(value, rows)) for name, value in trace.sample.items()]
    failed = isinstance(trace.ends, FailedError)
    return Stubbed(
        script,
        tuple(given),
        tuple(data),
        tuple(sorted(_text(call, spelling) for call in trace.calls)),
        "failed" if failed else _shown(trace.ends, spelling),
        names.get(trace.fails, ""),
    )


def _text(made: Made, spelling: Spelling) -> str:
    name, values = spelling(made)
    return f"{name}({', '.join(_shown(value, spelling) for value in values)})"


def _shown(value: object, spelling: Spelling) -> str:
    match value:
        case Made():
            return _text(value, spelling)
        case list():
            return f"[{', '.join(_shown(one, spelling) for one in value)}]"
        case tuple():
            inner = ", ".join(_shown(one, spelling) for one in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case dict():
            pairs = (f"{key!r}: {_shown(one, spelling)}" for key, one in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            return spelled(value, "")


def values_of(made: Made, params: Sequence[Param]) -> list[object]:
    """The arguments in the order of the parameters, defaults included."""
    values: list[object] = []
    for param in params:
        if param.kind == "args":
            values.append(made.given.get("*", []))
        elif param.kind == "kwargs":
            extra = {k[2:]: v for k, v in made.given.items() if k.startswith("**")}
            values.append(extra)
        elif param.name in made.given:
            values.append(made.given[param.name])
        else:
            values.append(_default(param))
    return values


def _default(param: Param) -> object:
    try:
        return ast.literal_eval(param.default)
    except (ValueError, SyntaxError) as error:
        raise Unspelled from error


def table(cases: Sequence[Stubbed], run: Callable[[Stubbed], str]) -> str:
    """The entries of the emitted list of cases; ``run`` spells what is run, and with what."""
    lines = []
    for one in cases:
        said = [run(one), f"calls={list(one.calls)!r}", f"ends={one.ends!r}"]
        if one.data:
            data = ", ".join(f"{name!r}: {text}" for name, text in one.data)
            said.append(f"data={{{data}}}")
        if one.fails:
            said.append(f"fails={one.fails!r}")
        name = one.script.canvas.name + (f" when {one.fails} fails" if one.fails else "")
        lines.append(f"    pytest.param(Case({', '.join(said)}), id={name!r}),")
    return "\n".join(lines)
