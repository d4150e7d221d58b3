"""The emitted test of the flows with stubs in the place of the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from offcanvas.port.emit.stubs import Stubbed, stubbed, table, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.port.emit.prefect.tasks import Tasks
    from offcanvas.port.script import Script
    from offcanvas.port.trace import Made, Trace

_TEST: Final = '''# ruff: noqa: E501 - a result says all that it is made of
"""What the flows call, with stubs in the place of the tasks: a server of its own, and no Celery.

A stub returns its own call, so that each result says where it comes from. The calls are those that
the canvases made with the samples that the port was given.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import Task
from prefect.testing.utilities import prefect_test_harness

from {package} import flows, tasks


class Result(str):
    """A call, which stands for its result."""

    def __repr__(self) -> str:
        return str(self)


class Failed(Exception):
    """A step that was chosen to fail."""


@dataclass(frozen=True)
class Case:
    """`data`: what steps return that read the world. `fails`: the step that does."""

    flow: Any
    given: dict[str, Any]
    calls: list[str]
    ends: str
    data: dict[str, Any] = field(default_factory=dict)
    fails: str = ""


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


def stub(name: str, fn: Any, case: Case, calls: list[str]) -> Callable[..., Any]:
    @wraps(fn)
    def stubbed(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(fn).bind(*args, **kwargs)
        bound.apply_defaults()
        rest = {{
            one.name
            for one in bound.signature.parameters.values()
            if one.kind is one.VAR_POSITIONAL
        }}
        values = [list(v) if k in rest else v for k, v in bound.arguments.items()]
        call = Result(f"{{name}}({{', '.join(map(repr, values))}})")
        calls.append(call)
        if name == case.fails:
            raise Failed(name)
        return case.data.get(name, call)

    return stubbed


@pytest.mark.parametrize(
    "case",
    [
{cases}
    ],
)
def test_calls(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name, step in vars(tasks).items():
        if isinstance(step, Task):
            monkeypatch.setattr(step, "fn", stub(name, step.fn, case, calls))
            monkeypatch.setattr(step, "retries", 0)
    monkeypatch.setattr(case.flow, "persist_result", False)
    monkeypatch.setattr(flows, "time", SimpleNamespace(sleep=lambda _: None), raising=False)
    monkeypatch.setattr(flows, "sleep_until", lambda _: None, raising=False)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "its id")
    try:
        ended = repr(case.flow(**case.given))
    except Failed:
        ended = "failed"
    assert sorted(calls) == case.calls
    assert ended == case.ends
'''


def stubs(
    flows: Sequence[tuple[str, Script]],
    traces: Mapping[str, Sequence[Trace]],
    tasks: Tasks,
    helpers: Mapping[str, str],
    package: str,
) -> str:
    """test_flows.py, or "" without a sample; ``helpers`` are names in flows.py."""

    def spelling(made: Made) -> tuple[str, list[object]]:
        return tasks.of(made.step, made.call), values_of(made, made.step.params)

    names = {script.canvas.name: name for name, script in flows}

    def run(one: Stubbed) -> str:
        given = ", ".join(f"{name!r}: {text}" for name, text in one.given)
        return f"flows.{names[one.script.canvas.name]}, {{{given}}}"

    cases = [
        case
        for _, script in flows
        for case in stubbed(script, traces.get(script.canvas.name, ()), spelling, "tasks")
    ]
    if not cases:
        return ""
    text = _TEST.format(package=package, cases=table(cases, run))
    for name in ("time", "sleep_until"):
        text = text.replace(f'setattr(flows, "{name}"', f'setattr(flows, "{helpers[name]}"')
    return text
