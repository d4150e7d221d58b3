"""Read a folder and check it, on as many processes as there are cores.

Three steps: facts of every file (parallel, cached), the index that joins them (once), and the
rules on the files that speak Celery (parallel; the workers inherit the index).
"""

import gc
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from offcanvas.audit import facts_read
from offcanvas.audit.beat import BeatEntry
from offcanvas.audit.cache import Cache, digest, project_digest, read_as
from offcanvas.audit.deploy import stops
from offcanvas.audit.discover import discover
from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.finding import Finding
from offcanvas.audit.gitref import sources_at
from offcanvas.audit.inventory import CanvasPlace, take_stock
from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.rules import Rule, all_rules
from offcanvas.audit.settings import Setting
from offcanvas.audit.syntax import UnreadableError, parse, read_source
from offcanvas.audit.tasks import Task, Unclear

_FEW: Final = 64
"""Fewer files than this are read in one process: starting others would take longer."""
_CHUNK: Final = 24
"""Files that a worker takes at a time."""

Progress = Callable[[str, int, int], None]
"""Called with (step, done, of)."""


@dataclass(frozen=True)
class Answer:
    """All that an audit has to say. Paths are relative to the audited folder."""

    files: int = 0
    lines: int = 0
    findings: tuple[Finding, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    """(path, reason)."""
    tasks: tuple[Task, ...] = ()
    canvases: tuple[CanvasPlace, ...] = ()
    beat: tuple[BeatEntry, ...] = ()
    settings: tuple[Setting, ...] = ()
    uses: Counter[str] = field(default_factory=Counter)
    callers: Counter[str] = field(default_factory=Counter)
    unclear: tuple[Unclear, ...] = ()
    """Functions of which it cannot be told whether they are tasks."""
    imports_celery: bool = False
    has_app: bool = False
    read: Mapping[str, bytes] = field(default_factory=dict)
    """Digests of the files whose findings carry cures, as they were read."""


def scan(
    root: Path,
    rules: Sequence[Rule],
    *,
    exclude: Sequence[str] = (),
    tests: bool = False,
    jobs: int | None = None,
    cache_folder: Path | None = None,
    against: str | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Audit a folder or a file. `jobs` defaults to the cores this process may use.

    against: a git ref that signatures are compared with.

    Raises UsageError when the folder cannot be read; files that cannot be read are in the answer.
    """
    tell = progress or (lambda _step, _done, _of: None)
    jobs = jobs or len(_cores())
    base = root if root.is_dir() else root.parent
    unreadable: dict[str, str] = {}
    deploy: list[str] = []
    paths = [*discover(root, exclude, tests=tests, unreadable=unreadable, deploy=deploy)]
    cache = Cache(root, cache_folder)
    with _less_garbage_collection():
        digests: dict[str, bytes] = {}
        for path in paths:
            shown = path.encode("utf-8", "backslashreplace").decode()
            if shown != path:
                unreadable[shown] = "its name is not text in the system's encoding"
                continue
            try:
                digests[path] = digest(read_source(base / path))
            except UnreadableError as error:
                unreadable[shown] = str(error)
        managers: dict[str, bytes] = {}
        for path in deploy:
            with suppress(UnreadableError):  # no Python file: nobody misses it in the counts
                managers[path] = read_source(base / path)
        then = sources_at(base, against, exclude, tests=tests) if against is not None else {}
        key = project_digest(
            {
                **digests,
                **{p: digest(source) for p, source in managers.items()},
                **{p: b"!" + r.encode() for p, r in unreadable.items()},
                **{f"{p} at {against}": digest(source) for p, source in then.items()},
            },
            [r.code for r in rules],
        )
        known = cache.answer(key)
        if isinstance(known, Answer):
            return known
        facts = _read(base, digests, unreadable, cache, jobs, tell)
        found = [stop for path, source in managers.items() for stop in stops(path, source)]
        project = Project(facts, root=base, deploy=found)
        if against is not None:
            project.before = _project_of(then)
        answer = _check(project, rules, unreadable, jobs, tell)
        curable = {finding.path for finding in answer.findings if finding.edits}
        answer = replace(answer, read={path: digests[path] for path in curable & digests.keys()})
    cache.keep_answer(key, answer)
    return answer


def _project_of(sources: dict[str, bytes]) -> Project:
    """The project at an earlier ref; files that cannot be read there are left out."""
    facts = []
    for path, source in sources.items():
        # What cannot be read now is reported; what could not be read then is no news.
        with suppress(UnreadableError):
            facts.append(facts_read.extract(path, source, parse(source)))
    return Project(facts, sources)


def _cores() -> set[int] | range:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


@contextmanager
def _less_garbage_collection() -> Iterator[None]:
    """Syntax trees are many small objects that die by reference count; looking for cycles among
    them again and again takes a third of the time."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _pool(jobs: int, initializer: Callable[..., None], *arguments: object) -> ProcessPoolExecutor:
    # Forked workers inherit the index without a copy; elsewhere it is sent to them once.
    method = "fork" if sys.platform == "linux" else None
    return ProcessPoolExecutor(
        jobs, multiprocessing.get_context(method), initializer=initializer, initargs=arguments
    )


def _chunks(paths: Sequence[str]) -> list[list[str]]:
    return [list(paths[i : i + _CHUNK]) for i in range(0, len(paths), _CHUNK)]


# --- step one: facts

_base = Path()
_digests: Mapping[str, bytes] = {}


def _start_reading(base: Path, digests: Mapping[str, bytes]) -> None:
    global _base, _digests
    _base, _digests = base, digests
    gc.set_threshold(200_000, 20, 100)


def _read_chunk(paths: list[str]) -> list[tuple[str, ModuleFacts | str]]:
    read: list[tuple[str, ModuleFacts | str]] = []
    for path in paths:
        try:
            source = read_as(_base / path, _digests[path])
            read.append((path, facts_read.extract(path, source, parse(source))))
        except UnreadableError as error:
            read.append((path, str(error)))
    return read


def _read(
    base: Path,
    digests: dict[str, bytes],
    unreadable: dict[str, str],
    cache: Cache,
    jobs: int,
    tell: Progress,
) -> list[ModuleFacts]:
    known = cache.known_facts()
    facts: list[ModuleFacts] = []
    todo = []
    for path, content in digests.items():
        if content in known:
            facts.append(replace(known[content], path=path))
        else:
            todo.append(path)
    done = 0
    for chunk in _map(_read_chunk, _chunks(todo), len(todo), jobs, _start_reading, base, digests):
        for path, said in chunk:
            done += 1
            if isinstance(said, str):
                unreadable[path] = said
            else:
                facts.append(said)
        tell("reading", done, len(todo))
    if todo:
        cache.keep_facts({digests[f.path]: f for f in facts})
    return facts


def _map(
    work: Callable[[list[str]], "list[tuple[str, ModuleFacts | str]]"],
    chunks: list[list[str]],
    files: int,
    jobs: int,
    start: Callable[..., None],
    *arguments: object,
) -> Iterator[list[tuple[str, ModuleFacts | str]]]:
    if files < _FEW or jobs == 1:
        start(*arguments)
        yield from map(work, chunks)
        return
    with _pool(jobs, start, *arguments) as pool:
        yield from pool.map(work, chunks)


# --- step three: rules

_project: Project | None = None
_codes: tuple[str, ...] = ()


@dataclass
class _Checked:
    """What one worker found in its files."""

    files: int
    findings: list[Finding]
    canvases: list[CanvasPlace]
    uses: Counter[str]
    callers: Counter[str]


def _start_checking(project: Project, codes: tuple[str, ...]) -> None:
    global _project, _codes
    _project, _codes = project, codes
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def _check_chunk(paths: list[str]) -> _Checked:
    if _project is None:
        raise RuntimeError("the worker was not started")
    rules = [r for c in _codes if (r := all_rules()[c]).scope == "module"]
    checked = _Checked(len(paths), [], [], Counter(), Counter())
    for path in paths:
        module = Module.opened(_project, path)
        if module is None:
            continue
        checked.findings += [f for rule in rules for f in rule.in_module(module)]
        stock = take_stock(module)
        checked.canvases += stock.canvases
        checked.uses += stock.uses
        checked.callers += stock.callers
    return checked


def take_answer(project: Project, rules: Sequence[Rule]) -> Answer:
    """The answer for a project that has been read already, in this process."""
    return _check(project, rules, {}, 1, lambda _step, _done, _of: None)


def _check(
    project: Project,
    rules: Sequence[Rule],
    unreadable: dict[str, str],
    jobs: int,
    tell: Progress,
) -> Answer:
    codes = tuple(r.code for r in rules)
    paths = project.celery_files
    chunks = _chunks(paths)
    findings = {f for rule in rules for f in rule.in_project(project)}
    canvases: list[CanvasPlace] = []
    uses: Counter[str] = Counter()
    callers: Counter[str] = Counter()
    done = 0
    for checked in _check_all(project, codes, chunks, len(paths), jobs):
        done += checked.files
        findings.update(checked.findings)
        canvases += checked.canvases
        uses += checked.uses
        callers += checked.callers
        tell("checking", done, len(paths))
    return Answer(
        files=len(project.files) + len(unreadable),
        lines=sum(f.lines for f in project.files.values()),
        findings=tuple(sorted(findings)),
        unreadable=tuple(sorted(unreadable.items())),
        tasks=tuple(project.tasks),
        canvases=tuple(sorted(canvases, key=lambda c: (c.path, c.line))),
        beat=tuple(project.beat),
        settings=tuple(project.settings.written),
        uses=uses,
        callers=callers,
        unclear=tuple(project.unclear),
        imports_celery=project.mentions("celery"),
        has_app=project.has_app,
    )


def _check_all(
    project: Project, codes: tuple[str, ...], chunks: list[list[str]], files: int, jobs: int
) -> Iterator[_Checked]:
    if files < _FEW or jobs == 1:
        _start_checking(project, codes)
        yield from map(_check_chunk, chunks)
        gc.unfreeze()
        return
    with _pool(jobs, _start_checking, project, codes) as pool:
        yield from pool.map(_check_chunk, chunks)
