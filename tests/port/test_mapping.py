"""Each row of the mapping of Celery to an engine: what is emitted for it, and what is said.

One project with a builder for each row is ported to both engines.
"""

import ast
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from offcanvas.port.pickled import changed_by_json
from tests.port.project import Folder

ENGINES = ("temporal", "prefect")
STALL = """
from datetime import datetime

from celery import Celery, Task, chain, chord, chunks, group
from celery.exceptions import Ignore, Reject

app = Celery("stall", broker="memory://")


class Noisy(Task):
    def on_failure(self, exc, task_id, args, kwargs, einfo):
        print(exc)


@app.task
def one(x: int, y: int = 2) -> int:
    return x + y


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(acks_late=True)
def late(x: int) -> int:
    return x


@app.task(rate_limit="10/m")
def slow(x: int) -> int:
    return x


@app.task(base=Noisy)
def noisy(x: int) -> int:
    return x


@app.task
def told(request, exc, traceback, label: str) -> None:
    print(label, exc)


@app.task
def reads(request, exc, traceback) -> None:
    print(exc.status, traceback)


@app.task
def by_id(failed: str) -> None:
    print(failed)


@app.task(bind=True, max_retries=3)
def counts(self, x: int) -> int:
    if self.request.retries >= self.max_retries:
        return -1
    raise self.retry(countdown=5)


@app.task(bind=True)
def grows(self, x: int) -> None:
    self.add_to_chord(one.s(x))


def kinds_of_signatures(x: int):
    return chain(one.s(x), one.si(3), one.s(y=4))


def grown(x: int, numbers: list[int]):
    steps = [one.s(x)]
    for number in numbers:
        steps.append(one.s(number))
    return chain(*steps)


def group_to_group(x: int):
    return chain(group(one.s(x), one.s(x, 3)), group(total.s(), total.s()))


def group_as_body(x: int):
    return chord([one.s(x), one.s(1)], group(total.s(), total.s()))


def empty():
    return chord([], total.s())


def no_canvas():
    return group()


def maps(numbers: list[int]):
    return group(one.map(numbers), one.starmap([(1, 2), (3, 4)]))


def parts(pairs: list[list[int]]):
    return one.chunks(pairs, 2)


def parts_inside(pairs: list[list[int]]):
    return chain(one.chunks(pairs, 2), total.si([1]))


def nested(x: int):
    return group(one.s(x), group(one.s(1), one.s(2)))


def chord_for_a_body(x: int):
    return chord([one.s(x), one.s(1)], chord([one.si(x), one.si(2)], total.s()))


def linked(x: int):
    first = one.s(x)
    first.link(one.si(1))
    return first


def errback_of_the_new_form(x: int):
    return chain(one.s(x), one.s()).on_error(told.s("here"))


def errback_of_the_old_form(x: int):
    return one.s(x).on_error(by_id.s())


def errback_that_is_immutable(x: int):
    return one.s(x).on_error(one.si(0))


def errback_that_reads_more(x: int):
    return one.s(x).on_error(reads.s())


def errback_of_a_chord(x: int):
    return chord([one.s(x), one.s(1)], total.s()).on_error(told.s("chord"))


def waits(x: int):
    return chain(one.s(x), one.s().set(countdown=7))


def waits_until(x: int, at: datetime):
    return chain(one.s(x), one.s().set(eta=at))


def expires(x: int):
    return chain(one.s(x), one.s().set(expires=30))


def to_a_queue(x: int):
    return chain(one.s(x), one.s().set(queue="far", priority=4))


def ignored(x: int):
    return chain(one.s(x), one.s().set(ignore_result=True))


def with_headers(x: int):
    return chain(one.s(x), one.s().set(headers={"trace": "a"}))


def again(x: int):
    return chain(late.s(x), slow.s(), counts.s(), noisy.s())


@app.task(acks_late=True)
def picky(x: int) -> int:
    if x < 0:
        raise Reject("not for us", requeue=False)
    return x


@app.task(bind=True)
def shy(self, x: int) -> int:
    if x < 0:
        self.update_state(state="SKIPPED")
        raise Ignore()
    return x


@app.task
def pairs_of(x: int) -> list[tuple[int, str]]:
    return [(x, "a")]


@app.task
def by_number(pairs: list[tuple[int, str]]) -> dict[int, str]:
    return dict(pairs)


def changed(x: int):
    return chain(pairs_of.s(x), by_number.s())


def rejects(x: int):
    return chain(picky.s(x), one.s())


def skips(x: int):
    return chain(shy.s(x), one.s())


def whole_later(x: int):
    chain(one.s(x), one.s()).apply_async(countdown=9)


def whole_at(x: int, at: datetime):
    chain(one.s(x), one.s()).apply_async(eta=at)


def group_later(numbers: list[int]):
    return group(one.s(number) for number in numbers).apply_async(countdown=9)


def chord_later(x: int):
    chord([one.s(x), one.s(1)], total.s()).apply_async(countdown=9)


def growing(x: int):
    return chord([grows.s(x)], total.s())
"""
SAMPLES = (
    '{"x": 1}',
    '{"x": 1, "numbers": [2, 3]}',
    '{"numbers": [2, 3]}',
    '{"pairs": [[1, 2], [3, 4], [5, 6]]}',
    "{}",
)


@dataclass(frozen=True)
class Ported:
    """The emitted functions by builder, other files as text, and the codes by builder."""

    functions: Mapping[str, str]
    files: Mapping[str, str]
    codes: Mapping[str, Sequence[str]]


@pytest.fixture(scope="module", params=ENGINES)
def ported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ported:
    return _ported(tmp_path_factory.mktemp("mapping"), request.param)


def _ported(path: Path, engine: str) -> Ported:
    folder = Folder(path)
    folder.write("stall.py", STALL)
    samples = [word for sample in SAMPLES for word in ("--sample", sample)]
    ended = folder.port(".", "--to", engine, "--out", "out", *samples, "--format", "json")
    assert (ended.code, ended.err) == (1, "")
    told = json.loads(ended.out)
    codes: dict[str, list[str]] = defaultdict(list)
    for canvas in told["canvases"]:
        codes[canvas["canvas"].partition(":")[2]] += canvas["notes"]
    source = (path / f"out/{'workflows' if engine == 'temporal' else 'flows'}.py").read_text()
    functions = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            functions[_plain(node.name)] = " ".join(ast.unparse(node).split())
    files = {file.name: file.read_text() for file in (path / "out").glob("*.py")}
    return Ported(functions, {**files, "engine": engine}, codes)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


#: The builder, what stands in its workflow and in its flow, and the codes that are said of it.
ROWS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "kinds_of_signatures": (
        ["do.one, OneInput(given.x)", "OneInput(3)", "OneInput(one_result, y=4)"],
        ["do.one(x)", "do.one(3)", "do.one(one_result, y=4)"],
        [],
    ),
    "grown": (
        ["for number in given.numbers:", "OneInput(one_result, y=number)"],
        ["for number in numbers:"],
        [],
    ),
    "group_to_group": (
        ["numbers = await all_of([", "return await all_of(["],
        ["numbers = all_of(["],
        [],
    ),
    "group_as_body": (
        ["numbers = await all_of([", "return await all_of(["],
        ["return all_of(["],
        [],
    ),
    "empty": (["all_of([])", "do.total, numbers"], ["all_of([])", "do.total(numbers)"], []),
    "maps": (
        ["do.each_one, given.numbers", "do.each_one_2, [(1, 2), (3, 4)]"],
        ["do.each_one.submit("],
        [],
    ),
    "parts": (
        ["given.pairs[start:start + 2]", "in range(0, len(given.pairs), 2)"],
        ["pairs[start:start + 2]", "in range(0, len(pairs), 2)"],
        [],
    ),
    "parts_inside": (
        ["in range(0, len(given.pairs), 2)"],
        ["range(0, len(pairs), 2)"],
        ["PORT146"],
    ),
    "nested": (["all_of(["], ["all_of(["], ["PORT145"]),
    "chord_for_a_body": (["all_of(["], ["all_of(["], ["PORT122"]),
    "linked": (["await logged("], ["logged(do.one, 1)"], ["PORT120"]),
    "errback_of_the_new_form": (
        ["except ActivityError as failure:", "kind_and_text(failure)", "do.told, ToldInput('here'"],
        ["except Exception as error:", "logged(do.told, 'here', str(error))", "raise"],
        [],
    ),
    "errback_of_the_old_form": (
        ["do.by_id, workflow.info().workflow_id"], ["logged(do.by_id, flow_run.id)"], ["PORT121"]
    ),
    "errback_that_is_immutable": (["do.one, OneInput(0)"], ["logged(do.one, 0)"], []),
    "errback_that_reads_more": (["do.reads"], ["do.reads"], ["PORT210"]),
    "errback_of_a_chord": (
        ["do.told, ToldInput('chord'"],
        ["logged(do.told, 'chord'"],
        ["PORT122"],
    ),
    "waits": (["await workflow.sleep(7)"], ["time.sleep(7)"], []),
    "waits_until": (
        ["workflow.sleep(max(0.0, given.at.timestamp() - workflow.time()))"],
        ["sleep_until(at.timestamp())"],
        ["PORT123"],
    ),
    "expires": (["policies.ONE"], ["do.one_expiring("], ["PORT114"]),
    "to_a_queue": (["policies.ONE_2"], ["do.one_apart("], ["PORT115", "PORT116"]),
    "ignored": (["do.one"], ["do.one"], ["PORT119"]),
    "with_headers": (["do.one"], ["do.one"], ["PORT119"]),
    "again": (
        ["policies.LATE", "policies.COUNTS"],
        ["do.late(x)"],
        ["PORT112", "PORT117", "PORT217"],
    ),
    "whole_later": (["workflow.sleep(9)"], ["time.sleep(9)"], ["PORT135"]),
    "whole_at": (["workflow.sleep(max(0.0, given.at"], ["sleep_until(at"], ["PORT123", "PORT135"]),
    "group_later": (["GroupLaterNumbers"], ["one_part.submit(number)"], ["PORT135"]),
    "chord_later": (["workflow.sleep(9)"], ["one_part_2.submit(x)"], ["PORT135"]),
    "changed": (["do.pairs_of"], ["do.by_number(pairs)"], ["PORT150"]),
    "rejects": (["do.picky"], ["do.picky"], ["PORT218"]),
    "skips": (["do.shy"], ["do.shy"], ["PORT212"]),
    "growing": (["do.grows"], ["do.grows"], ["PORT216"]),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_mapping(ported: Ported, row: str) -> None:
    temporal, prefect, codes = ROWS[row]
    found = ported.functions[_plain(row)]
    wanted = temporal if ported.files["engine"] == "temporal" else prefect
    assert [text for text in wanted if text not in found] == [], found
    said = set(ported.codes[row])
    assert set(codes) <= said
    assert not {code for code in said if code.startswith("PORT2")} - set(codes)
    assert "PORT901" not in said or row in {"waits_until", "whole_at"}  # JSON has no datetime


def test_a_countdown_of_a_group_is_that_of_each_member(ported: Ported) -> None:
    wait = "workflow.sleep(9)" if ported.files["engine"] == "temporal" else "time.sleep(9)"
    names = [name for name in ported.functions if "later" in name or name.startswith("onepart")]
    waits = [name for name in names if wait in ported.functions[name]]
    if ported.files["engine"] == "temporal":
        assert {"grouplaternumbers", "chordlater", "wholelater"} == set(waits)
    else:
        assert {"onepart", "onepart2", "wholelater"} <= set(waits)


def test_what_is_to_be_written_raises_in_its_step(ported: Ported) -> None:
    steps = ported.files["activities.py" if ported.files["engine"] == "temporal" else "tasks.py"]
    for name, code in (
        ("reads", "PORT210"), ("grows", "PORT216"), ("noisy", "PORT217"),
        ("picky", "PORT218"), ("shy", "PORT212"),
    ):  # fmt: skip
        body = steps.partition(f"def {name}(")[2].partition("\n\n\n")[0]
        assert f"# TODO({code})" in body
        assert "raise " in body


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def named(name):\n    return chain(one.s(1), app.signature(name))\n", "PORT300"),
        ("def misfits():\n    return chain(one.s(1), one.s(2, 3, 4))\n", "PORT303"),
        ("def nothing():\n    return 3\n", "PORT301"),
    ],
)
def test_what_is_refused_leaves_nothing_written(tmp_path: Path, text: str, code: str) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", f"{STALL}\n\n{text}")
    name = text.partition("(")[0].removeprefix("def ")
    ended = folder.port(f"stall:{name}", "--to", "temporal", "--out", "out")
    assert ended.code == 2
    assert code in ended.err or (code == "PORT301" and "builds no canvas" in ended.err)
    assert not (tmp_path / "out").exists()


SIGNALS = """
from celery import Celery, chain, signals
from celery.signals import beat_init, task_failure as failed

app = Celery("stall", broker="memory://")


@signals.task_prerun.connect
def begins(task_id, **kwargs):
    print(task_id)


@failed.connect(sender="stall.one")
def fails(exception, **kwargs):
    print(exception)


signals.worker_process_init.connect(begins)
beat_init.connect(begins)


def counted():
    from celery.signals import task_retry

    task_retry.connect(begins)


@app.task
def one(x: int) -> int:
    return x


def both(x: int):
    return chain(one.s(x), one.s())


def first(x: int):
    return chain(one.s(x), one.s(), one.s())
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_handlers_of_signals_are_told_of(tmp_path: Path, engine: str) -> None:
    """Nothing calls them beside the port's steps; its tasks do as before without them."""
    folder = Folder(tmp_path)
    folder.write("stall.py", SIGNALS)
    ended = folder.port(".", "--to", engine, "--out", "out", "--format", "json")
    assert (ended.code, ended.err) == (1, "")
    told = json.loads(ended.out)
    said = [note["message"] for note in told["notes"] if note["code"] == "PORT149"]
    assert [message.split()[3] for message in said] == [
        "task_prerun",
        "task_failure",
        "worker_process_init",
        "task_retry",
    ]
    assert all("PORT149" in canvas["notes"] for canvas in told["canvases"])
    assert (tmp_path / "out/PORT.md").read_text().count("`PORT149` stall.py:") == 4


@pytest.mark.parametrize(
    ("annotation", "changed"),
    [
        ("list[int]", False),
        ("dict[str, Any]", False),
        ("", False),
        ("tuple[int, ...]", True),
        ("list[tuple[int, bool] | int]", True),
        ("dict[int, str]", True),
        ("dict[str, dict[int, str]]", True),
        ("set[str] | None", True),
    ],
)
def test_what_json_changes(annotation: str, changed: bool) -> None:
    assert changed_by_json(annotation) is changed


NESTED = """
from celery import Celery, chain, chord, group

app = Celery("stall", broker="memory://")


@app.task
def one(x: int, y: int = 2) -> int:
    return x + y


@app.task
def total(numbers: list[int]) -> int:
    return len(numbers)


def plain(x: int):
    return group(one.s(x), group(one.s(1), one.s(2)))


def in_a_chain(x: int):
    return chord([one.s(x), chain(group(one.s(1), one.s(2)))], total.s())


def by_choice(x: int):
    member = group(one.s(1), one.s(2)) if x else one.s(1)
    return group(one.s(x), member)


def by_condition(x: int):
    inner = []
    if x:
        inner.append(one.s(1))
        inner.append(one.s(2))
    return chord([one.s(x), group(inner)], total.s())


def followed(x: int):
    return group(one.s(x), chain(group(one.s(1), one.s(2)), total.s()))
"""


def test_groups_that_celery_reverses_are_told_of(tmp_path: Path) -> None:
    """By the line that shows it, or by what the planner has met in a call of the builder.

    A group alone in a chain is not one of them: its list is one member's result.
    """
    folder = Folder(tmp_path)
    folder.write("stall.py", NESTED)
    given = ("--sample", '{"x": 1}', "--sample", '{"x": 0}', "--format", "json")
    ended = folder.port(".", "--to", "temporal", "--out", "out", *given)
    assert (ended.code, ended.err) == (1, "")
    notes = json.loads(ended.out)["notes"]
    told = {note["message"].partition(":")[0] for note in notes if note["code"] == "PORT145"}
    assert told == {"by_choice", "by_condition", "plain"}
