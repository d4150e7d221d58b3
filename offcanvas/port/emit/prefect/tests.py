"""The emitted test against Celery, which a team runs until it has removed Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.port.emit.cases import Case

_EQUIVALENCE: Final = r'''"""The canvases on Celery and here: the same results. Goes with Celery.

Needs a Celery worker, `python -m {package}.worker`, and PREFECT_API_URL. The tasks are really run.
"""

import importlib
import re
from typing import Any

import pytest

from {package} import starter

{imports}
CASES = [
{cases}
]
#: What Celery tells of the member of a chord that failed.
MEMBER = re.compile(r"raised (\w+)\(")


def on_celery(send: Any) -> Any:
    try:
        return send().get(timeout=60)
    except Exception as error:
        member = MEMBER.search(str(error)) if type(error).__name__ == "ChordError" else None
        return member[1] if member else type(error).__name__


def here(start: Any) -> Any:
    try:
        return starter.wait(start())
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize(("send", "start"), CASES)
def test_same_result(send: Any, start: Any) -> None:
    assert here(start) == on_celery(send)
'''


def equivalence(cases: Sequence[Case], flows: Mapping[str, str], package: str) -> str:
    """test_equivalence.py, or "" without a sample; ``flows`` are names of flows by canvas."""
    if not cases:
        return ""
    lines = []
    for case in cases:
        start = f"starter.start_{flows[case.script.canvas.name]}({case.given})"
        lines.append(case.param(f"lambda: {case.sent}", f"lambda: {start}"))
    imports = "\n".join(sorted({case.imported for case in cases}))
    return _EQUIVALENCE.format(package=package, imports=imports, cases="\n".join(lines))


_ATTEMPTS: Final = '''"""How often each step is tried again: what Celery was told."""

from typing import Any

import pytest

from {package} import tasks


@pytest.mark.parametrize(("name", "retries"), {retries})
def test_attempts(name: str, retries: int) -> None:
    """Change it here and in tasks.py once a step may be tried more often than in Celery."""
    step: Any = vars(tasks)[name]
    assert step.retries == retries
'''


def attempts(found: Mapping[str, int], package: str) -> str:
    """The test of the further attempts by task."""
    return _ATTEMPTS.format(package=package, retries=sorted(found.items()))
