"""The check against the original: what it lets through, and what it does not."""

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from offcanvas.errors import OffcanvasError
from offcanvas.port import api, lower
from offcanvas.port.check import Difference, check
from offcanvas.port.emit.parts import Parts
from offcanvas.port.ir import Each, Errback, If, Join, Node, Part, Seq, Side, Step
from offcanvas.port.read.callbacks import mapped
from offcanvas.port.read.plan import read_plan
from offcanvas.port.read.project import open_project
from tests.differential import specs
from tests.port.builders import HEAD, choices, source, writable

SAMPLES: tuple[dict[str, Any], ...] = (
    {"items": [1, 2], "flag": True},
    {"items": [3, 4, 5], "flag": False},
)
MADE = 120


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's root on the path; what is imported from it is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def _made_up() -> list[tuple[object, tuple[int, ...]]]:
    made: list[tuple[object, tuple[int, ...]]] = []
    # The strategy is deep, and Hypothesis minds its own repr of it.
    warnings.simplefilter("ignore", HypothesisWarning)

    @settings(
        max_examples=MADE,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(st.one_of(specs.shallow.map(lambda e: e.canvas), specs.canvases), choices)
    def collect(canvas: object, chosen: tuple[int, ...]) -> None:
        if writable(canvas):
            made.append((canvas, chosen))

    collect()
    return made


def test_builders_that_are_made_up(importable: Path) -> None:
    """Each is translated so that it makes the original's calls, or refused; most are translated."""
    made = _made_up()
    text = "\n\n".join(source(f"made_up_{n}", *one) for n, one in enumerate(made))
    (importable / "made_up.py").write_text(f"{HEAD}\n\n{text}")
    project = open_project(importable)
    here = Path(__file__).parents[1]
    for name in ("__init__.py", "differential/__init__.py", "differential/tasks.py"):
        target = importable / "tests" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((here / name).read_text())
    project = open_project(importable)
    named = {
        task.name.rpartition(".")[2]: task.name
        for task in project.tasks
        if task.path.endswith("differential/tasks.py")
    }
    verdicts: Counter[str] = Counter()
    for number in range(len(made)):
        plan = read_plan(project, [f"made_up:made_up_{number}"])
        if any(note.code.startswith(("PORT2", "PORT3")) for note in plan.notes):
            verdicts["refused"] += 1
            continue
        try:
            program = lower.program(plan, Parts(project, plan).needs(), frozenset())
        except lower.MisfitError:
            verdicts["refused"] += 1
            continue
        differences: list[Difference] = []
        try:
            chosen = {f"made_up_{number}": SAMPLES}
            differences, _ = check(plan, program, project.tasks_by_name, chosen, named)
        except OffcanvasError:
            verdicts["the original fails"] += 1
            continue
        verdicts["refused" if differences else "translated"] += 1
    assert verdicts["translated"] >= 0.8 * sum(verdicts.values()), verdicts


SHOP = """
from celery import Celery, chain, chord, group

app = Celery("stall", broker="memory://")

@app.task
def pick(item: str, size: int = 1) -> str: ...

@app.task
def pack(things: list[str], label: str) -> str: ...

@app.task
def note(request, exc, traceback): print(exc)

def basket(items, label, gift):
    tasks = [pick.s(item, size=2) for item in items]
    if gift:
        tasks.append(pick.si("paper"))
    return chord(tasks, pack.s(label)).on_error(note.s())

def belt(label):
    return chain(pick.s("a"), pack.s(label), pack.s("end").set(countdown=3)).on_error(note.s())
"""


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api.Read]:
    """Two builders that are read, and whose module stays imported."""
    folder = tmp_path_factory.mktemp("stall")
    (folder / "stall.py").write_text(SHOP)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield api.read("stall:basket", "stall:belt", samples=SAMPLED, root=folder)


SAMPLED = [
    {"items": ["a", "b"], "label": "x", "gift": True},
    {"items": ["a", "b"], "label": "x", "gift": False},
    {"label": "y"},
]


def _changed(part: Part, change: Any) -> Part:
    made = change(part)
    match made:
        case Seq(parts=parts) | Side(parts=parts):
            return replace(made, parts=tuple(_changed(one, change) for one in parts))
        case Join(header=header, body=body):
            return replace(made, header=_changed(header, change), body=_changed(body, change))
        case If(parts=parts) | Each(parts=parts):
            return replace(made, parts=tuple(_changed(one, change) for one in parts))
    return made


def _swap(part: Part) -> Part:
    if isinstance(part, Step) and len(part.args) == 1 and part.kwargs:
        return replace(part, args=(part.kwargs[0][1],), kwargs=(("size", part.args[0]),))
    return part


def _drop_errback(part: Part) -> Part:
    return replace(part, errbacks=()) if isinstance(part, Node) else part


def _twice(part: Part) -> Part:
    if not isinstance(part, Node):
        return part
    return replace(part, errbacks=tuple(e for one in part.errbacks for e in (one, one)))


def _drop_member(part: Part) -> Part:
    return replace(part, parts=part.parts[:-1]) if isinstance(part, Side) else part


def _sequential(part: Part) -> Part:
    if not isinstance(part, Join):
        return part
    members = [mapped(one, lambda step: replace(step, immutable=True)) for one in part.header.parts]
    return Seq(parts=(*members, part.body), place=part.place)


def _drop_wait(part: Part) -> Part:
    if isinstance(part, Step):
        return replace(part, options=replace(part.options, countdown=""))
    return part


def _immutable(part: Part) -> Part:
    return replace(part, immutable=True, args=("'z'", *part.args)) if _is_pack(part) else part


def _is_pack(part: Part) -> bool:
    return isinstance(part, Step) and part.task.endswith("pack")


def _other_style(part: Part) -> Part:
    if not isinstance(part, Node):
        return part
    return replace(part, errbacks=tuple(Errback(e.step, "bare") for e in part.errbacks))


@pytest.mark.parametrize(
    ("change", "canvas"),
    [
        (_drop_errback, "basket"),
        (_drop_errback, "belt"),
        (_twice, "belt"),
        (_drop_member, "basket"),
        (_sequential, "basket"),
        (_swap, "basket"),
        (_drop_wait, "belt"),
        (_immutable, "belt"),
    ],
)
def test_a_fault_in_the_translation_is_found(stall: api.Read, change: Any, canvas: str) -> None:
    found = stall

    def differences(plan: Any) -> list[Difference]:
        program = lower.program(plan, Parts(found.project, plan).needs(), frozenset())
        chosen = {"basket": SAMPLED[:2], "belt": SAMPLED[2:]}
        return check(plan, program, found.project.tasks_by_name, chosen, {})[0]

    assert differences(found.plan) == []
    broken = [
        replace(one, root=_changed(one.root, change)) if one.name == canvas else one
        for one in found.plan.canvases
    ]
    assert canvas in {
        one.canvas for one in differences(replace(found.plan, canvases=tuple(broken)))
    }


def test_a_branch_that_no_sample_took_is_named(stall: api.Read) -> None:
    program = lower.program(stall.plan, Parts(stall.project, stall.plan).needs(), frozenset())
    chosen = {"basket": SAMPLED[:1], "belt": SAMPLED[2:]}
    _, notes = check(stall.plan, program, stall.project.tasks_by_name, chosen, {})
    assert [n.message for n in notes if n.code == "PORT902"] == ["basket: `gift` was always True"]
    assert not [n for n in stall.plan.notes if n.code == "PORT902"]
