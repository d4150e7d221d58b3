"""starter.py and the tests of a port to Temporal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offcanvas.port import names as naming
from offcanvas.port.emit.cases import Case
from offcanvas.port.script import Script

_HEAD = '''"""Starting the workflows and asking after them; `in_sync` is for code that is not async.

>>> in_sync(start_{first}({example}))
"""

import asyncio
import atexit
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig

from {package} import workflows
from {package}.inputs import {inputs}
from {package}.worker import TASK_QUEUE

R = TypeVar("R")

# A thread of the SDK may still be letting go of Python when a script ends: that would crash it.
atexit.register(time.sleep, 0.05)


def in_sync(call: Coroutine[Any, Any, R]) -> R:
    """Wait for one of the calls below where there is no event loop: a view, a script."""
    return asyncio.run(call)


async def connect() -> Client:
    """The server that TEMPORAL_ADDRESS and its profile name."""
    return await Client.connect(**ClientConfig.load_client_connect_config())


async def wait(id: str, client: Client | None = None) -> Any:
    """The result, as `AsyncResult(id).get()`; raises WorkflowFailureError."""
    handle: Any = (client or await connect()).get_workflow_handle(id)
    return await handle.result()


async def state(id: str, client: Client | None = None) -> str:
    """RUNNING, COMPLETED, FAILED, CANCELED, TERMINATED or TIMED_OUT."""
    description = await (client or await connect()).get_workflow_handle(id).describe()
    return description.status.name if description.status else "UNKNOWN"


async def cancel(id: str, client: Client | None = None) -> None:
    """As `AsyncResult(id).revoke()`, but the workflow may clean up."""
    await (client or await connect()).get_workflow_handle(id).cancel()


async def history(id: str, client: Client | None = None) -> str:
    """What happened, as JSON: keep it in tests/histories, and test_replay.py replays it."""
    handle: Any = (client or await connect()).get_workflow_handle(id)
    found: str = (await handle.fetch_history()).to_json()
    return found


async def _start(
    run: Callable[..., Any],
    given: list[Any],
    id: str,
    client: Client | None,
    delay: timedelta | None,
) -> str:
    """An id that was used before is refused: nothing is done twice.

    `delay` is what `countdown` was in `apply_async`: the server waits before it starts.
    """
    handle: Any = await (client or await connect()).start_workflow(
        run,
        args=given,
        id=id,
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        start_delay=delay,
    )
    started: str = handle.id
    return started
'''

_ONE = '''
async def start_{name}(
    given: {input}, id: str = "", client: Client | None = None, delay: timedelta | None = None
) -> str:
    """Start {cls}, now or after a delay; its id."""
    id = id or f"{name}/{{uuid4()}}"
    return await _start(workflows.{cls}.run, [given], id, client, delay)
'''

_BARE = '''
async def start_{name}(
    id: str = "", client: Client | None = None, delay: timedelta | None = None
) -> str:
    """Start {cls}, now or after a delay; its id."""
    id = id or f"{name}/{{uuid4()}}"
    return await _start(workflows.{cls}.run, [], id, client, delay)
'''

REPLAY = '''"""The workflows against histories of runs: a change that breaks them fails here.

`starter.history(id)` gives a history; keep one of each workflow in the folder histories.
"""

import asyncio
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from {package}.worker import WORKFLOWS


def test_replay() -> None:
    kept = sorted(Path(__file__).with_name("histories").glob("*.json"))
    assert kept, "no history is kept yet: run a workflow, and write starter.history(id) to a file"
    for path in kept:
        history = WorkflowHistory.from_json(path.stem, path.read_text())
        asyncio.run(Replayer(workflows=WORKFLOWS).replay_workflow(history))
'''

ATTEMPTS = '''"""How often each step is executed at the most, as Celery was told."""

import pytest

from {package} import policies


@pytest.mark.parametrize(("name", "attempts"), {attempts})
def test_attempts(name: str, attempts: int) -> None:
    """Change it here and in policies.py once a step may be tried more often than in Celery."""
    retry = vars(policies)[name]["retry_policy"]
    assert retry.maximum_attempts == attempts  # 0: no limit
'''


def attempts(found: Mapping[str, int], package: str) -> str:
    """The test of the attempts by policy."""
    return ATTEMPTS.format(package=package, attempts=sorted(found.items()))


EQUIVALENCE = r'''"""The canvases on Celery and here: the same results. Delete this with Celery.

Needs a Celery worker, `python -m {package}.worker`, and TEMPORAL_ADDRESS. The tasks are really run.
"""

import importlib
import re
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from {package} import inputs, starter

{imports}
CASES = [
{cases}
]
#: What Celery tells of the member of a chord that failed.
MEMBER = re.compile(r"raised (\w+)\(")


def on_celery(start: Any) -> Any:
    try:
        return start().get(timeout=60)
    except Exception as error:
        member = MEMBER.search(str(error)) if type(error).__name__ == "ChordError" else None
        return member[1] if member else type(error).__name__


def here(start: Any) -> Any:
    try:
        return starter.in_sync(starter.wait(starter.in_sync(start())))
    except WorkflowFailureError as failure:
        cause: BaseException | None = failure
        while cause is not None and not isinstance(cause, ApplicationError):
            cause = cause.__cause__
        return cause.type if cause is not None else type(failure).__name__


@pytest.mark.parametrize(("celery", "start", "given"), CASES)
def test_same_result(celery: Any, start: Any, given: Any) -> None:
    assert here(lambda: start(given)) == on_celery(celery)
'''


def starter(
    scripts: Sequence[Script], shapes: Mapping[str, str], package: str, *, pickles: bool = False
) -> str:
    """starter.py; ``shapes`` are the names of the workflows' inputs by canvas."""
    first = scripts[0].canvas
    example = f"{shapes[first.name]}(...)" if first.params else ""
    text = _HEAD.format(
        package=package,
        first=naming.snake(first.name),
        example=example,
        inputs=", ".join(shapes[s.canvas.name] for s in scripts if s.canvas.params) or "__doc__",
    )
    for script in scripts:
        canvas = script.canvas
        template = _ONE if canvas.params else _BARE
        text += "\n" + template.format(
            name=naming.snake(canvas.name),
            cls=naming.camel(canvas.name),
            input=shapes[canvas.name],
        )
    if pickles:
        text = (
            text.replace("args=given", "args=[packed(one) for one in given]")
            .replace(
                "    return await handle.result()", "    return unpacked(await handle.result())"
            )
            .replace(
                f"from {package}.worker",
                f"from {package}.objects import packed, unpacked\nfrom {package}.worker",
            )
        )
    return text


def equivalence(cases: Sequence[Case], shapes: Mapping[str, str], package: str) -> str:
    """test_equivalence.py for the canvases that a caller can send, or "" without a sample."""
    if not cases:
        return ""
    lines = []
    for case in cases:
        canvas = case.script.canvas
        start = f"starter.start_{naming.snake(canvas.name)}"
        given = f"inputs.{shapes[canvas.name]}({case.given})"
        lines.append(case.param(f"lambda: {case.sent}", start, given))
    imports = "\n".join(sorted({case.imported for case in cases}))
    return EQUIVALENCE.format(package=package, imports=imports, cases="\n".join(lines))
