"""Random builders, ported and executed on real servers beside a real Celery worker.

    python -m tests.port.made_up 2000            # on Temporal and on Prefect
    python -m tests.port.made_up 500 temporal
    python -m tests.port.made_up 400-600          # those of these seeds

The canvases are those of the differential suite, printed as Python source with loops, conditions,
lists that fill and chains that grow (`tests.port.builders`). Each call of a task is written down
with its arguments and the case it is of; compared are those ledgers and how each case ended. Where
they differ the port has to have told of it (PORT122, PORT145), or a row of the support table says
that Celery's caller waits for ever: those are counted apart. What PORT145 tells explains a
difference only if the port did what the kit does with the same canvas when it does as documented.
"""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from offcanvas.canvas.planner import Deviation
from offcanvas.errors import OffcanvasError
from offcanvas.port import lower
from offcanvas.port.check import check
from offcanvas.port.emit.parts import Parts
from offcanvas.port.ir import Note
from offcanvas.port.read.plan import read_plan
from offcanvas.port.read.project import open_project
from offcanvas.servers import prefect, redis, start_together, temporal
from tests.differential import quirks, specs
from tests.port.builders import Writer, choices, parts_of, writable
from tests.port.project import Folder

TASKS = ("boom", "crash", "echo", "errback", "flaky", "limited", "note", "one", "stubborn")
HEAD = f'''"""Builders that were made up."""

from celery import chain, chord, group

from made.tasks import app, {", ".join(TASKS)}
'''
SAMPLES: tuple[dict[str, Any], ...] = (
    {"items": [1, 2], "flag": True},
    {"items": [3, 4, 5], "flag": False},
)
# Temporal's sandbox loads the module of a workflow anew for each run of it, so that the cost of a
# batch grows with the square of its size.
BATCH = 25
WITHIN = 300.0  # seconds; a limit for what never comes, not an expectation
_CASE = re.compile(r"made_up_\d+")

CELERY = """
import json, sys
from celery.exceptions import TimeoutError
from made import builders
sent, ends = {}, {}
for name, given in json.load(open(sys.argv[1])):
    sent[name] = getattr(builders, name)(**given).apply_async()
def end(result):
    try:
        return result.get(timeout=60)
    except TimeoutError:
        # get() on Redis may miss the message of a result that is stored: on a busy machine it
        # waited in vain for three of 3,350 chains of two tasks that retry.
        return result.get(timeout=1)
for name, result in sent.items():
    try:
        ends[name] = ["value", end(result)]
    except Exception as error:
        ends[name] = ["error", type(error).__name__]
print(json.dumps(ends))
"""
TEMPORAL = """
import asyncio, json, sys
from temporalio.client import WorkflowFailureError
from made_temporal import inputs, starter, workflows

async def main():
    client = await starter.connect()
    async def run(name, given):
        title = "".join(word.title() for word in name.split("_"))
        shape = getattr(inputs, f"{title}Input")
        id = await getattr(starter, f"start_{name}")(shape(**given), client=client)
        try:
            return name, ["value", await starter.wait(id, client)]
        except WorkflowFailureError as failure:
            cause = failure.cause
            while getattr(cause, "cause", None) is not None:
                cause = cause.cause
            return name, ["error", getattr(cause, "type", None) or type(cause).__name__]
    cases = json.load(open(sys.argv[1]))
    print(json.dumps(dict(await asyncio.gather(*(run(*case) for case in cases)))))

asyncio.run(main())
"""
PREFECT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from made_prefect import flows

def run(case):
    name, given = case
    try:
        return name, ["value", getattr(flows, name)(**given)]
    except Exception as error:
        return name, ["error", type(error).__name__]

with ThreadPoolExecutor(4) as pool:
    print(json.dumps(dict(pool.map(run, json.load(open(sys.argv[1]))))))
"""


DOCUMENTED = """
import json, sys
import offcanvas
from made import builders
ends = {}
for name, given in json.load(open(sys.argv[1])):
    try:
        canvas = getattr(builders, name)(**given)
        ends[name] = ["value", offcanvas.run(canvas, on="memory", timeout=60).get()]
    except Exception as error:
        ends[name] = ["error", type(error).__name__]
print(json.dumps(ends))
"""


class Marked(Writer):
    """Every call says which case it is of."""

    def call(self, spec: specs.Call) -> str:
        told = [("told", "id")] if spec.args == ("old",) and not spec.immutable else []
        case = (*spec.kwargs, ("case", self.name), *told)
        if spec.task == "errback":
            case = (("case", self.name),)
        options = tuple(o for o in spec.options if o[0] in {"time_limit", "soft_time_limit"})
        return super().call(replace(spec, kwargs=case, options=options))

    def items(self, spec: specs.Items) -> str:
        if spec.word == "map":
            return f"echo.map({[[self.name, item] for item in spec.items]!r})"
        pairs = [(self.name, item) for item in spec.items]
        return f"echo.chunks({pairs!r}, 2)" if spec.word == "chunks" else f"echo.starmap({pairs!r})"

    def lines_of_case(self) -> None:
        """Loops and conditions say it too."""
        self.lines = [
            re.sub(
                r"echo\.(si?)\((item|'flag'|'more')\)", rf"echo.\1(\2, case='{self.name}')", line
            )
            for line in self.lines
        ]

    def text(self, canvas: object) -> str:
        made = self.part(canvas)
        self.lines_of_case()
        made = re.sub(r"echo\.s\(item\)", f"echo.s(item, case='{self.name}')", made)
        body = "\n".join(f"    {line}" for line in [*self.lines, f"return {made}"])
        return f"def {self.name}(items, flag):\n{body}\n"


@dataclass(frozen=True)
class Case:
    """A builder with what it is called with, and what is told of it beforehand.

    ``told`` is where Celery does something else than it documents (PORT145), ``hangs`` the rows of
    the support table by which its caller may wait for ever; ``own_error``: some are told a member's
    own error where Celery has a ChordError (PORT122).
    """

    name: str
    text: str
    given: dict[str, Any]
    told: frozenset[Deviation] = frozenset()
    hangs: tuple[str, ...] = ()
    own_error: bool = False

    @property
    def reversed_(self) -> bool:
        """Whether Celery reverses a group in it."""
        return Deviation.NESTED_GROUP_ORDER in self.told


@dataclass(frozen=True)
class Difference:
    """A case that did not end as on Celery; ``why`` where that was told beforehand."""

    text: str
    why: str


def _made(count: int, number: int) -> list[tuple[object, tuple[int, ...]]]:
    made: list[tuple[object, tuple[int, ...]]] = []
    # The strategy is deep, and Hypothesis minds its own repr of it.
    warnings.simplefilter("ignore", HypothesisWarning)

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(st.one_of(specs.shallow.map(lambda e: e.canvas), specs.canvases), choices)
    def collect(canvas: object, chosen: tuple[int, ...]) -> None:
        several = sum(isinstance(part, specs.Call) for part in parts_of(canvas)) > 1
        if (
            several
            and writable(canvas)
            and not _chunks_within(canvas)
            and not _hides_failures(canvas)
            and _calls(canvas) <= {*TASKS}
        ):
            made.append((canvas, chosen))

    collect()
    return made


def _calls(canvas: object) -> set[str]:
    return {part.task for part in parts_of(canvas) if isinstance(part, specs.Call)}


def _chunks_within(canvas: object) -> bool:
    """Whether chunks stand in another canvas.

    There Celery returns the ids of the group that the chunks have become, and fails with
    EncodeError when a task follows; a port gives the parts' results (docs/port.md).
    """
    inner = (part for part in parts_of(canvas) if part is not canvas)
    return any(isinstance(part, specs.Items) and part.word == "chunks" for part in inner)


def _hides_failures(canvas: object) -> bool:
    """Whether a chord's body is an empty group: Celery's caller gets [] if its header fails."""
    bodies = [part.body for part in parts_of(canvas) if isinstance(part, specs.Chorded)]
    return any(isinstance(body, specs.Many) and not body.parts for body in bodies)


def _told(notes: Iterable[Note]) -> frozenset[Deviation]:
    messages = [note.message for note in notes if note.code == "PORT145"]
    return frozenset(one for one in Deviation if any(one.value in told for told in messages))


@dataclass(frozen=True)
class Seen:
    """How a case ended on an engine, and the calls of its tasks."""

    end: list[Any]
    calls: list[str]


def _hangs(canvas: object) -> tuple[str, ...]:
    example = specs.Example(canvas)
    waits = {quirks._waits_for_ever, quirks._joins_for_ever}
    found = [one.row for one in quirks.QUIRKS if one.allows in waits and one.touches(example)]
    return tuple(dict.fromkeys(row.text for row in found))


def _why(case: Case, wanted: Seen, found: Seen, documented: Seen) -> str:
    """What of that which was told beforehand is the reason of a difference; "" if nothing is."""
    if wanted.end == ["error", "TimeoutError"]:
        return "; ".join(case.hangs) if Counter(wanted.calls) <= Counter(found.calls) else ""
    if _same(case, found, wanted):
        return "PORT122"
    # What Celery reverses is compared without its order, and is the reason of nothing else.
    told = sorted(one.value for one in case.told - {Deviation.NESTED_GROUP_ORDER})
    return "; ".join(told) if _same(case, found, documented) else ""


def _same(case: Case, found: Seen, wanted: Seen) -> bool:
    """Whether they are alike, but for a ChordError where PORT122 tells of the member's own."""
    if case.own_error and wanted.end == ["error", "ChordError"] and found.end[0] == "error":
        found = replace(found, end=wanted.end)
    return _plain(found, case) == _plain(wanted, case)


def written(path: Path, count: int, number: int) -> list[Case]:
    """The package ``made`` with so many builders in it that are translated."""
    Folder.of_example("made", path)
    # One in six to sixteen of the canvases that are drawn can be written as a builder.
    made = _made(20 * count, number)[: count + count // 2]
    texts = [Marked(f"made_up_{n}", one[1]).text(one[0]) for n, one in enumerate(made)]
    (path / "made/builders.py").write_text(f"{HEAD}\n\n" + "\n\n".join(texts))
    project = open_project(path)
    cases: list[Case] = []
    for n in range(len(made)):
        name = f"made_up_{n}"
        plan = read_plan(project, [f"made.builders:{name}"])
        if any(note.code.startswith(("PORT2", "PORT3")) for note in plan.notes):
            continue
        try:
            program = lower.program(plan, Parts(project, plan).needs(), frozenset())
            differences, notes = check(plan, program, project.tasks_by_name, {name: SAMPLES}, {})
        except (lower.MisfitError, OffcanvasError):
            continue
        # A group that may have one member is told of, and its result is another one (PORT124).
        if differences or any(note.code == "PORT124" for note in notes):
            continue
        given = SAMPLES[n % len(SAMPLES)]
        told = [*plan.notes, *notes]
        own = any(note.code == "PORT122" for note in told)
        cases.append(Case(name, texts[n], given, _told(told), _hangs(made[n][0]), own))
        if len(cases) == count:
            break
    if len(cases) < count:
        raise AssertionError(f"{len(cases)} builders where {count} were asked for")
    text = "\n\n".join(case.text for case in cases)
    (path / "made/builders.py").write_text(f"{HEAD}\n\n{text}")
    return cases


@contextmanager
def servers(engines: Sequence[str]) -> Iterator[dict[str, str]]:
    """Celery's broker and the engines' servers; the environment in which they are found."""
    starters = {"temporal": temporal, "prefect": prefect}
    with start_together(redis, *(starters[engine] for engine in engines)) as started:
        yield {name: value for one in started for name, value in one.environment.items()}


def differences(
    path: Path, count: int, number: int, engines: Sequence[str], where: Mapping[str, str]
) -> list[Difference]:
    """Run so many cases on Celery and on the engines; where they differ.

    ``where`` is the environment in which the servers are found; ``number`` seeds what is drawn.
    """
    sys.path.insert(0, str(path))
    try:
        cases = written(path, count, number)
    finally:
        sys.path.remove(str(path))
        for name in [n for n in sys.modules if n.partition(".")[0] == "made"]:
            del sys.modules[name]
    folder = Folder(path)
    samples = [word for one in SAMPLES for word in ("--sample", json.dumps(one))]
    for engine in engines:
        targets = [f"made.builders:{case.name}" for case in cases]
        done = folder.port(*targets, "--to", engine, *samples)
        if done.code == 2:
            raise AssertionError(done.err)
    (path / "cases.json").write_text(json.dumps([[one.name, one.given] for one in cases]))
    with ThreadPoolExecutor() as together:
        run = functools.partial(_run, folder, where)
        sides = ("celery", "documented", *engines)
        seen = dict(zip(sides, together.map(run, sides), strict=True))
    told: list[Difference] = []
    for case in cases:
        wanted = seen["celery"][case.name]
        for engine in engines:
            found = seen[engine][case.name]
            if _plain(found, case) != _plain(wanted, case):
                text = f"{case.text}\ncelery: {wanted}\n{engine}: {found}\n"
                why = _why(case, wanted, found, seen["documented"][case.name])
                told.append(Difference(text, why))
    return told


def _plain(seen: Seen, case: Case) -> object:
    """What is compared; of what Celery reverses, the order is left out."""
    if not case.reversed_:
        return seen
    return [_sorted(seen.end), sorted(json.dumps(_sorted(json.loads(c))) for c in seen.calls)]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((_sorted(one) for one in value), key=json.dumps)
    return value


def _run(folder: Folder, where: Mapping[str, str], side: str) -> dict[str, Seen]:
    scripts = {
        "celery": CELERY, "documented": DOCUMENTED, "temporal": TEMPORAL, "prefect": PREFECT,
    }  # fmt: skip
    workers = {
        "celery": ["-m", "celery", "-A", "made.tasks", "worker", "-c", "8", "-P", "threads"],
        "temporal": ["-m", "made_temporal.worker"],
    }
    ledger = folder.path / f"{side}.jsonl"
    ledger.touch()
    own = {**where, "PREFECT_HOME": str(folder.path / "home"), "MADE_LEDGER": str(ledger)}
    with ExitStack() as stack:
        if side in workers:
            log = stack.enter_context((folder.path / f"{side}.log").open("w"))
            worker = subprocess.Popen(
                [sys.executable, *workers[side]],
                cwd=folder.path, env={**os.environ, **own}, stdout=log, stderr=log,
            )  # fmt: skip
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        done = folder.run("-c", scripts[side], "cases.json", **own)
        if done.code:
            raise AssertionError(f"{side}: {done.err}")
        ends = json.loads(done.out.splitlines()[-1])
        calls = defaultdict(list)
        for line in _settled(ledger):
            calls[_CASE.findall(line)[0]].append(line)
    return {name: Seen(end, sorted(calls[name])) for name, end in ends.items()}


def _settled(ledger: Path) -> list[str]:
    """The lines, once no more come: an errback may end after the caller has its error."""
    before, since = -1, time.monotonic()
    deadline = since + WITHIN
    while time.monotonic() < deadline:
        lines = ledger.read_text().splitlines()
        if len(lines) != before:
            before, since = len(lines), time.monotonic()
        elif time.monotonic() - since > 2:
            return lines
        time.sleep(0.1)
    raise TimeoutError(f"{ledger} does not come to rest")


def main(count: int, engines: Sequence[str], first: int = 0) -> int:
    """Run those from ``first`` to ``count`` in batches; the number of unexplained differences."""
    found = 0
    explained: Counter[str] = Counter()
    with servers(engines) as where:
        for number in range(first, count, BATCH):
            size = min(BATCH, count - number)
            with tempfile.TemporaryDirectory() as name:
                told = differences(Path(name), size, number, engines, where)
            explained.update(one.why for one in told if one.why)
            found += sum(not one.why for one in told)
            said = [f"{number + size} builders, {found} unexplained differences"]
            said += [f"{one.text}told: {one.why or 'no'}\n" for one in told]
            sys.stdout.write("\n".join(said) + "\n")
            sys.stdout.flush()
    for why, times in explained.most_common():
        sys.stdout.write(f"told beforehand, {times} times: {why}\n")
    return found


if __name__ == "__main__":
    chosen = sys.argv[2:] or ["temporal", "prefect"]
    first, _, last = sys.argv[1].rpartition("-")
    sys.exit(1 if main(int(last), chosen, int(first or 0)) else 0)
