"""The emitted test of the workflows with stubs in the place of the activities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from offcanvas.port import names as naming
from offcanvas.port.emit.stubs import Stubbed, stubbed, table, values_of
from offcanvas.port.ir import Param

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.port.emit.temporal.inputs import Shape
    from offcanvas.port.script import Script
    from offcanvas.port.trace import Made, Trace

_TEST: Final = '''# ruff: noqa: E501 - a result says all that it is made of
"""What the workflows call, with stubs in the place of the steps: no server, and no Celery.

A stub returns its own call, so that each result says where it comes from. The calls are those that
the canvases made with the samples that the port was given.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field, is_dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from {package} import inputs, workflows


class Result(str):
    """A call, which stands for its result."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Case:
    """`data`: what steps return that read the world. `fails`: the step that does."""

    workflow: Any
    given: tuple[Any, ...]
    calls: list[str]
    ends: str
    data: dict[str, Any] = field(default_factory=dict)
    fails: str = ""


def failed(step: str) -> ActivityError:
    failure = ActivityError(
        step,
        scheduled_event_id=1,
        started_event_id=2,
        identity="",
        activity_type=step,
        activity_id="1",
        retry_state=None,
    )
    failure.__cause__ = ApplicationError(step, type="Failed")
    return failure


@pytest.mark.parametrize(
    "case",
    [
{cases}
    ],
)
def test_calls(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    async def execute_activity(step: Any, *given: Any, **_policy: Any) -> Any:
        name = step.__name__
        values = [*vars(given[0]).values()] if given and is_dataclass(given[0]) else given
        call = Result(f"{{name}}({{', '.join(map(repr, values))}})")
        calls.append(call)
        if name == case.fails:
            raise failed(name)
        return case.data.get(name, call)

    async def execute_child_workflow(run: Any, given: Any) -> Any:
        return await vars(workflows)[run.__qualname__.partition(".")[0]]().run(given)

    async def sleep(_seconds: Any) -> None:
        """At once."""

    monkeypatch.setattr(workflow, "execute_activity", execute_activity)
    monkeypatch.setattr(workflow, "execute_child_workflow", execute_child_workflow)
    monkeypatch.setattr(workflow, "sleep", sleep)
    monkeypatch.setattr(workflow, "time", time.time)
    monkeypatch.setattr(workflow, "info", lambda: SimpleNamespace(workflow_id="its id"))
    monkeypatch.setattr(workflow, "logger", logging.getLogger(__name__))
    try:
        ended = repr(asyncio.run(case.workflow().run(*case.given)))
    except ActivityError:
        ended = "failed"
    assert sorted(calls) == case.calls
    assert ended == case.ends
'''


def stubs(
    scripts: Sequence[Script],
    traces: Mapping[str, Sequence[Trace]],
    shapes: Mapping[str, Shape],
    named: Mapping[str, str],
    package: str,
) -> str:
    """test_workflows.py, or "" without a sample; ``named`` are the workflows' inputs by canvas."""

    def spelling(made: Made) -> tuple[str, list[object]]:
        shape = shapes[f"step {made.step.name}"]
        params = {param.name: param for param in made.step.params}
        fields = [params.get(one.name, Param(one.name)) for one in shape.fields]
        return made.step.name, values_of(made, fields)

    def run(one: Stubbed) -> str:
        canvas = one.script.canvas
        given = ", ".join(f"{name}={text}" for name, text in one.given)
        shape = f"inputs.{named[canvas.name]}({given})," if canvas.params else ""
        return f"workflows.{naming.camel(canvas.name)}, ({shape})"

    cases = [
        case
        for script in scripts
        for case in stubbed(script, traces.get(script.canvas.name, ()), spelling, "inputs")
    ]
    return _TEST.format(package=package, cases=table(cases, run)) if cases else ""
