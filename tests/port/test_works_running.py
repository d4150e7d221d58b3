"""Canvases of three public projects, ported, on real servers: shape and options are theirs.

Each project is ported to both engines by the command line. The same cases run in a Celery worker,
in the kit without one, and in both ports: compared are the calls of all tasks with their arguments,
every attempt included, and how each case ended. Functions that stay, and start a workflow where
they sent a canvas, are written out here as the emitted `PORT.md` says it (`ported`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from offcanvas.servers import redis, start_together, temporal
from tests.port.both_sides import prefect_settings
from tests.port.project import EXAMPLES, Folder

pytestmark = pytest.mark.servers
QUEUES = {"studio": "studio", "papers": "papers", "dockets": "dockets,pacer"}
PACKAGES = tuple(QUEUES)
WITHIN = 240.0  # seconds; a limit for what never comes, not an expectation


@dataclass(frozen=True)
class Case:
    """What is called on Celery's side; the workflow's name, and what it is given.

    ends: "value", "error", "never" where Celery gives nobody a result and a port None, or "ignored"
        where it is ``ignore_result`` that keeps it from them (PORT119).
    """

    package: str
    celery: str
    name: str
    given: str
    ends: str = "value"


def _part(number: int, file: str, *, skip: bool) -> str:
    title = "broken" if file.startswith("scratch/13") else f"document {file[8]}"
    said = f"title='{title} (split {number})', owner=1, skip_number={skip}"
    return (
        f"ConsumeTaskRow(document=Document(source=Source.FOLDER, file=Path('{file}')), "
        f"overrides=Overrides({said}))"
    )


def _attachment(name: str) -> str:
    return (
        f"ConsumeTaskRow(document=Document(source=Source.MAIL, file=Path('{name}'), rule=9), "
        f"overrides=Overrides(title='{name}', tags={{3, 4}}))"
    )


def _mail(uid: str, *names: str, ends: str = "value") -> Case:
    date = "datetime(2026, 3, 29, 2, 30)"
    attachments = [*names, "notes.txt"]
    message = f"{{'uid': '{uid}', 'subject': 's', 'date': {date}, 'attachments': {attachments}}}"
    rows = ", ".join(_attachment(name) for name in names)
    given = f"rule_id=9, uid='{uid}', subject='s', date={date}, validity=None"
    return Case(
        "papers",
        f"handle_mail({message}, Rule(9), None)",
        "queue_consumption",
        f"consume_tasks=[{rows}], {given}",
        ends,
    )


def _fetch(kind: str, pk: int, fields: str, *, court: str = "ca1", ends: str = "value") -> Case:
    document = pk if kind == "document" else None
    request = f"Request({pk}, '{kind}', '{court}', {document})"
    return Case("dockets", f"do_fetch({request})", "do_fetch", f"c=CRow({fields})", ends)


def _docket(pk: int, *, court: str = "ca1", ends: str = "value") -> Case:
    appellate = court.startswith("ca")
    fields = f"kind='fetch_appellate_docket', is_appellate={appellate}, request_pk={pk}, "
    fields += f"court='{court}', request_pk_2={pk}, request_pk_3={pk}"
    return _fetch("docket", pk, fields, court=court, ends=ends)


def _attachments(pk: int, *, ends: str) -> Case:
    return _fetch("attachments", pk, f"kind='fetch_attachments', request_pk_4={pk}", ends=ends)


def _document(pk: int, *, ends: str) -> Case:
    fields = f"kind='fetch_document', document={pk}, request_pk_5={pk}"
    return _fetch("document", pk, fields, ends=ends)


def _claims(number: str, *, ends: str) -> Case:
    given = (
        f"number='{number}', court='c', title='t', session={{'key': 'k'}}, tags=['a'], q='dockets'"
    )
    return Case("dockets", f"docket_and_claims({given})", "docket_and_claims", given, ends)


def _task(name: str, given: str, ends: str = "value") -> Case:
    return Case("studio", f"{name}.s({given})", name, given, ends)


CASES = (
    _task("import_files", "name='full', user_pk=7"),
    _task("import_files", "name='old'"),
    _task("import_files", "name='empty'"),
    _task("import_files", "name='taken'"),
    _task("import_files", "name='broken'", "error"),
    _task("publish_sites", "names=['c', 'a', 'b'], version='live', size=2, with_delete=True"),
    _task("publish_sites", "names=['d', 'e'], version='draft', size=1, prepublish=True"),
    _task("publish_sites", "names=['f', 'broken', 'g'], version='live', size=2", "error"),
    *(
        Case("studio", f"transcripts({videos})", "transcripts", f"videos={videos}", ends)
        for videos, ends in (([1, 2, 4], "value"), ([3], "error"))
    ),
    *(
        Case("studio", f"index({pks}, {quick})", "index", f"pks={pks}, quick={quick}", ends)
        for pks, quick, ends in (
            ([1, 20, 2, 21], True, "value"),
            ([3, 22, 11, 4], False, "value"),
            ([5, 30], False, "error"),
        )
    ),
    _task("publish_and_tell", "names=['x', 'y'], version='live'"),
    _task("count_published", "names=['x', 'y', 'z'], version='live'"),
    _task("count_published", "names=['x', 'broken'], version='live'", "error"),
    Case(
        "papers",
        "split([4], [[1, 2], [3]], delete_originals=True, user=1)",
        "split",
        f"consume_tasks=[{_part(1, 'scratch/4_1-2.pdf', skip=False)}, "
        f"{_part(2, 'scratch/4_3-3.pdf', skip=False)}], value={{4: 104}}, documents=[4]",
    ),
    Case(
        "papers",
        "split([13], [[1], [3]], delete_originals=True, user=1)",
        "split",
        f"consume_tasks=[{_part(1, 'scratch/13_1-1.pdf', skip=False)}, "
        f"{_part(2, 'scratch/13_3-3.pdf', skip=False)}], value={{13: 113}}, documents=[13]",
        "error",
    ),
    Case(
        "papers",
        "split([5], [[1], [2, 3]], user=1)",
        "tasks_split",
        f"consume_tasks=[{_part(1, 'scratch/5_1-1.pdf', skip=True)}, "
        f"{_part(2, 'scratch/5_2-3.pdf', skip=True)}]",
    ),
    *(
        Case(
            "papers",
            f"merge([{one}, 3], delete_originals=True)",
            "merge",
            f"documents=[{one}, 3], value={{{one}: {100 + one}, 3: 103}}, "
            f"document=Document(source=Source.FOLDER, file=Path('scratch/{one}_3_merged.pdf')), "
            f"overrides=Overrides(title='{title} (merged)')",
            ends,
        )
        for one, title, ends in ((2, "document 2", "value"), (13, "broken", "error"))
    ),
    _mail("u1", "a.pdf", "b.png"),
    _mail("u2", "c.pdf", "broken.png", ends="error"),
    _docket(1),
    _docket(2, court="d"),
    _docket(5, court="d"),
    _docket(6, court="d", ends="error"),
    _docket(7, court="ca-slow"),
    _docket(8, court="ca-shut", ends="never"),
    _attachments(3, ends="ignored"),
    _attachments(4, ends="never"),
    _document(11, ends="value"),
    _document(9, ends="error"),
    _claims("1", ends="ignored"),
    _claims("unknown", ends="never"),
    _claims("down", ends="error"),
)

#: What all scripts begin with: names of each package, as its own modules have them.
HEAD = """
import asyncio, importlib, inspect, json, os, sys, time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

cases = json.load(open("cases.json"))

def names(package, *modules):
    found = {"Path": Path, "datetime": datetime}
    for module in modules:
        found |= vars(importlib.import_module(f"{package}.{module}"))
    return found
"""
CELERY = """
import threading
import celery.canvas
import offcanvas

sent = []

def watched(send):
    # What a caller sends: of each canvas the result that it would have got.
    def apply_async(self, *args, **kwargs):
        global inside
        if inside or threading.current_thread() is not threading.main_thread():
            return send(self, *args, **kwargs)
        inside = True
        try:
            sent.append(send(self, *args, **kwargs))
        finally:
            inside = False
        return sent[-1]
    return apply_async

inside = False
for kind in ("Signature", "_chain", "_chord", "group"):
    found = getattr(celery.canvas, kind)
    found.apply_async = watched(found.apply_async)

def called(case):
    return eval(case["celery"], names(case["package"], "rows", "tasks"))

def result(case):
    before = len(sent)
    made = called(case)
    if isinstance(made, celery.canvas.Signature):
        made.apply_async()
    (one,) = sent[before:]
    return one

def end(get):
    try:
        return ["value", get()]
    except Exception as error:
        return ["error", ""]

on = sys.argv[1]
if on == "celery":
    ends = []
    for case, one in [(case, result(case)) for case in cases]:
        never = case["ends"] in ("never", "ignored")
        ends.append(["value", None] if never else end(lambda: one.get(timeout=30)))
    # Whoever sent it knows of the end before callbacks and error callbacks are executed.
    ledger, quiet, before = Path(os.environ["WORKS_LEDGER"]), 0, ""
    while quiet < 20:
        time.sleep(0.1)
        now = ledger.read_text()
        quiet, before = (quiet + 1 if now == before else 0), now
else:
    ends = [end(offcanvas.run(called(case), on=on).get) for case in cases]
print(json.dumps(ends))
"""
TEMPORAL = """
from temporalio.client import WorkflowFailureError

async def main():
    modules = {
        package: {
            name: importlib.import_module(f"{package}_temporal.{name}")
            for name in ("inputs", "objects", "starter", "worker")
            if Path(f"{package}/{package}_temporal/{name}.py").exists()
        }
        for package in {case["package"] for case in cases}
    }
    client = await modules["studio"]["starter"].connect()

    async def run(case):
        package = case["package"]
        own = modules[package]
        known = {**names(package, "rows"), **vars(own["inputs"]), "dict": dict}
        given = eval(f"dict({case['given']})", known)
        shape = inspect.signature(getattr(own["starter"], f"start_{case['name']}"))
        made = known[shape.parameters["given"].annotation.__name__](**given)
        id = await getattr(own["starter"], f"start_{case['name']}")(made, client=client)
        try:
            return ["value", await own["starter"].wait(id, client)]
        except WorkflowFailureError as failure:
            return ["error", ""]

    workers = [asyncio.create_task(one["worker"].main()) for one in modules.values()]
    print(json.dumps(await asyncio.gather(*map(run, cases))))
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)

if __name__ == "__main__":  # steps with a time limit begin processes, which import this
    asyncio.run(main())
"""
PREFECT = """
def run(case):
    package = case["package"]
    flows, tasks = (
        importlib.import_module(f"{package}_prefect.{name}") for name in ("flows", "tasks")
    )
    known = {**names(package, "rows"), **vars(tasks), "dict": dict}
    given = eval(f"dict({case['given']})", known)
    try:
        return ["value", getattr(flows, case["name"])(**given)]
    except Exception as error:
        return ["error", ""]

if __name__ == "__main__":
    with ThreadPoolExecutor(4) as pool:
        print(json.dumps(list(pool.map(run, cases))))
"""
SCRIPTS = {"celery": CELERY, "memory": CELERY, "temporal": TEMPORAL, "prefect": PREFECT}


@dataclass(frozen=True)
class Ran:
    """How each case ended, and all calls in an order that does not depend on threads."""

    ends: list[Any]
    calls: list[str]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each project in a folder of its own, beside its ports."""
    path = tmp_path_factory.mktemp("works")
    for package in PACKAGES:
        shutil.copytree(EXAMPLES / "works" / package, path / package / package)
        for engine in ("temporal", "prefect"):
            done = Folder(path / package).port(".", "--to", engine)
            assert done.code == 1, done.err
            assert "todo" not in done.out
    return path


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        found: dict[str, str] = {}
        for server in stack.enter_context(start_together(redis, temporal)):
            found |= server.environment
        yield found


def _run(
    path: Path, on: str, *arguments: str, cases: Sequence[Case] = CASES, **environment: str
) -> Ran:
    (path / "cases.json").write_text(json.dumps([asdict(case) for case in cases]))
    ledger = path / f"{on}.jsonl"
    ledger.touch()
    (path / f"run_{on}.py").write_text(HEAD + SCRIPTS[on])
    done = subprocess.run(
        [sys.executable, f"run_{on}.py", *arguments],
        cwd=path, env=_environment(path, on, environment), timeout=WITHIN,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout.splitlines()[-1])
    told = [
        ["value", None] if case.ends == "ignored" and end[0] == "value" else end
        for case, end in zip(cases, ends, strict=True)
    ]
    return Ran(told, sorted(ledger.read_text().splitlines()))


@contextmanager
def _celery_workers(path: Path, servers: dict[str, str]) -> Iterator[None]:
    """One for each project: with its own default queue, and the queue that dockets sends to."""
    with ExitStack() as stack:
        for package in PACKAGES:
            log = stack.enter_context((path / f"{package}.log").open("w"))
            worker = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", f"{package}.tasks", "worker"),
                    *("-P", "threads", "-c", "8", "-Q", QUEUES[package]),
                ],
                cwd=path / package, env=_environment(path, "celery", servers),
                stdout=log, stderr=log,
            )  # fmt: skip
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        yield


def _environment(path: Path, on: str, more: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **more,
        "WORKS_LEDGER": str(path / f"{on}.jsonl"),
        "PYTHONPATH": os.pathsep.join(str(path / package) for package in PACKAGES),
        "C_FORCE_ROOT": "1",  # Celery's worker takes pickles as root only when it is told to
    }


@pytest.fixture(scope="module")
def wanted(folders: Path, servers: dict[str, str]) -> Ran:
    """What a Celery worker does."""
    with _celery_workers(folders, servers):
        return _run(folders, "celery", "celery", **servers)


def test_cases_end_in_celery_as_they_are_meant_to(wanted: Ran) -> None:
    meant = ["error" if case.ends == "error" else "value" for case in CASES]
    assert [kind for kind, _ in wanted.ends] == meant
    assert sum('"fetch_docket", "5"' in call for call in wanted.calls) == 3
    assert sum('"restore"' in call for call in wanted.calls) == 2
    assert sum('"request_transcript", "3"' in call for call in wanted.calls) == 4
    assert sum('"open"' in call or '"close"' in call for call in wanted.calls) == 6
    assert sum('"index_pages"' in call for call in wanted.calls) == 2 + 2 + 4
    assert not any('mark_successful", "8' in call for call in wanted.calls)


def test_on_temporal(folders: Path, servers: dict[str, str], wanted: Ran) -> None:
    assert _run(folders, "temporal", **servers) == wanted


def test_on_prefect(folders: Path, prefect_url: str, wanted: Ran) -> None:
    settings = prefect_settings(Folder(folders), prefect_url)
    assert _run(folders, "prefect", **settings) == wanted


def test_in_memory_without_a_port(folders: Path, wanted: Ran) -> None:
    """Of the project that sends JSON: the kit carries no pickles, and a task waits for no other."""
    waits = ("publish_and_tell", "count_published")
    cases = [case for case in CASES if case.package == "studio" and case.name not in waits]
    ran = _run(folders, "memory", "memory", cases=cases)
    assert ran.ends == wanted.ends[: len(cases)]
    assert ran.calls == [call for call in wanted.calls if call in set(ran.calls)]
    assert len(ran.calls) > len(cases)
