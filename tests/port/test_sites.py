"""Canvases that are sent in the midst of other code: workflows of their own."""

import re
from pathlib import Path

import pytest

from tests.port.project import Ended, Folder

TASKS = '''
from celery import Celery, chain, chord, group

app = Celery("till")


@app.task
def fetch(case: str, court: str, *, tags: list[str]) -> str:
    return case


@app.task
def keep(text: str, court: str) -> str:
    return text


@app.task
def split(page: int) -> int:
    return page


@app.task
def count(pages: list[int], name: str = "") -> int:
    return len(pages)


@app.task
def lost(request, exc, traceback, name: str) -> None:
    print(name, str(exc))


def by_line(options, lines, session):
    """A chain for each line of a file, between the lines that were asked for."""
    queue = options["queue"]
    for number, line in enumerate(lines):
        if number < options["offset"]:
            continue
        if number >= options["limit"] > 0:
            break
        session.wait()
        try:
            chain(
                fetch.s(line.case, line["court"], tags=options["tags"]).set(queue=queue),
                keep.s(line["court"], **{}),
            ).apply_async()
        except OSError:
            session.note(line)


def by_page(name, pages, log):
    """A list that is filled under conditions, by two kinds of members."""
    members = []
    for page in pages:
        if page.empty:
            continue
        if page.odd:
            members.append(split.si(page.number))
        else:
            members.append(fetch.si(page.text, name, tags=[]))
    if members:
        log.info("sent")
        chord(members, count.s(name=name).on_error(lost.s(name))).delay()
    return "OK"
'''


def _ported(path: Path, engine: str) -> tuple[Folder, Ended]:
    folder = Folder(path)
    folder.write("till/__init__.py", "")
    folder.write("till/tasks.py", TASKS)
    return folder, folder.port(".", "--to", engine)


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_place_that_sends_is_a_workflow(tmp_path: Path, engine: str) -> None:
    folder, ended = _ported(tmp_path, engine)
    assert ended.code == 1, ended.err
    assert "todo" not in ended.out
    assert ended.out.count("PORT137") == 2
    told = (folder.path / f"till_{engine}/PORT.md").read_text()
    assert "case=line.case, court=line['court'], tags=options['tags']" in told
    row = 'MemberRow(kind="...", page=page.number, case=page.text, court=name)'
    assert row in told
    checked = folder.run("-m", "mypy", "--strict", f"till_{engine}")
    assert checked.code == 0, checked.out


def test_members_of_a_list_are_rows(tmp_path: Path) -> None:
    folder, ended = _ported(tmp_path, "temporal")
    assert ended.code == 1, ended.err
    inputs = (folder.path / "till_temporal/inputs.py").read_text()
    assert "class MemberRow:" in inputs
    workflows = (folder.path / "till_temporal/workflows.py").read_text()
    assert 'if member.kind == "split":' in workflows
    assert "for member in given.members:" in workflows


def test_the_caller_is_not_touched(tmp_path: Path) -> None:
    folder, _ = _ported(tmp_path, "temporal")
    text = (folder.path / "till/tasks.py").read_text()
    assert TASKS[TASKS.index("def by_line") :] == text[text.index("def by_line") :]


OBJECTS = """
import work
from till_temporal import activities, inputs
from till_temporal.objects import packed, unpacked

line = packed(work.Line())
assert list(line) == ["pickled"]
assert type(unpacked(line)) is work.Line
assert packed([1, "a", None, {"a": 2.5}]) == [1, "a", None, {"a": 2.5}]
for value in ((1, 2), {1: 2}, {3}, {"pickled": 1}, float("inf"), b"x"):
    assert unpacked(packed(value)) == value and type(unpacked(packed(value))) is type(value)
print(activities.keep(inputs.KeepInput(line, "court")))
"""


def test_objects_go_pickled_where_celery_pickles(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("till/__init__.py", "")
    own = "class Line:\n    pass\n\n\n"
    text = TASKS.replace(
        "def keep(text: str, court: str) -> str:\n    return text",
        "def keep(text: Line, court: str) -> str:\n    return type(text).__name__",
    ).replace("@app.task\ndef keep", f"{own}@app.task\ndef keep")
    folder.write("till/tasks.py", text)
    assert folder.port(".", "--to", "temporal", "--diff").code == 1
    folder.write("till/settings.py", 'CELERY_TASK_SERIALIZER = "pickle"\n')
    ended = folder.port(".", "--to", "temporal")
    assert ended.code == 1
    assert "PORT141 decide: till.tasks.keep(text: Line)" in ended.out
    ran = folder.run("-c", OBJECTS.replace("import work", "from till import work"))
    assert ran.out == "Line\n", ran.err


VARIANT = '''
from celery import Celery, chain

app = Celery("till")


@app.task
def fetch(case: str) -> str:
    return case


@app.task
def keep(text: str) -> str:
    return text


@app.task
def mark(number: int) -> int:
    return number


def by_kind(request, log):
    """One name is one canvas here and another there."""
    log.info("asked")
    match request.kind:
        case "docket":
            c = chain(fetch.si(request.docket))
            c = c | mark.si(request.pk)
        case "page":
            c = chain(fetch.si(request.page), keep.s())
            if request.again:
                c = mark.si(0) | c
        case _:
            raise NotImplementedError
    c.apply_async()
    log.info("sent")
'''


def _variant(folder_path: Path, engine: str, sent: str = "c.apply_async()") -> tuple[str, str, str]:
    """What is printed of its port, which has no todo, its PORT.md, and its workflows or flows."""
    folder = Folder(folder_path)
    folder.write("till/__init__.py", "")
    folder.write("till/tasks.py", VARIANT.replace("c.apply_async()", sent))
    ended = folder.port(".", "--to", engine)
    assert ended.code == 1, ended.err
    assert "todo" not in ended.out
    made = folder.path / f"till_{engine}"
    file = "workflows" if engine == "temporal" else "flows"
    return ended.out, (made / "PORT.md").read_text(), (made / f"{file}.py").read_text()


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_name_that_is_one_canvas_here_and_another_there(tmp_path: Path, engine: str) -> None:
    _, told, text = _variant(tmp_path, engine)
    assert "in the place of" in told
    assert 'c.kind == "fetch"' in text


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_what_is_said_when_it_is_sent_holds_for_each_of_them(tmp_path: Path, engine: str) -> None:
    """The options of a chain are those of its first task."""
    sent = 'c.apply_async(queue="urgent", link=mark.si(1), link_error=mark.si(2))'
    out, _, text = _variant(tmp_path, engine, sent)
    for task in ("fetch", "mark"):
        assert f"PORT115 decide: till.tasks.{task}: " in out
    assert "PORT115 decide: till.tasks.keep: " not in out
    assert text.count("logged(") >= 4  # a link and an errback in each branch


ROUNDS = """
from functools import reduce

from celery import Celery, chain

app = Celery("till")


@app.task
def mark(number: int) -> int:
    return number


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


def grows(log, left):
    canvas = add.s(1)
    while left:
        left -= 1
        canvas |= add.s(2)
    canvas.delay()


def grows_and_is_sent(log, left):
    canvas = add.s(1)
    for one in left:
        log.info("again")
        canvas = chain(canvas, add.s(one))
        canvas.delay()
    log.info("sent")


def has_more_links(log, left):
    canvas = add.s(1) | mark.s()
    while left:
        left -= 1
        canvas.link(mark.s())
    canvas.delay()


def is_folded(names, flag):
    if flag:
        return reduce(lambda canvas, one: canvas | add.s(one), names, add.s(1))
    return add.s(1) | mark.s()


def is_looked_up(names, flag):
    if flag:
        return dict(one=add.s(1))["one"]
    return add.s(1) | mark.s()


def begins_anew(log, left):
    while left:
        left -= 1
        canvas = add.s(left)
        canvas |= add.s(2)
        canvas.delay()


class Counter:
    step = 2

    def by_itself(self, x: int):
        return add.s(x) | add.s(self.step)

    @staticmethod
    def static(x: int):
        return add.s(x) | add.s(3)
"""


def test_what_has_many_shapes_or_hides_is_to_be_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("till/__init__.py", "")
    folder.write("till/tasks.py", ROUNDS)
    ended = folder.port(".", "--to", "temporal")
    assert ended.code == 1, ended.err
    said = dict(re.findall(r"^till.tasks:(\S+): (.*)$", ended.out, re.M))
    todos = {name for name, counts in said.items() if "1 todo" in counts}
    hidden = {"is_folded", "is_looked_up", "by_itself"}
    assert todos == {"grows", "grows_and_is_sent", "has_more_links", *hidden}
    assert {*said} - todos == {"begins_anew", "static"}
    inputs = (folder.path / "till_temporal/inputs.py").read_text()
    assert "class StaticInput:\n    x: int" in inputs
    refused = folder.port("till.tasks:Counter.static", "--to", "temporal", "--sample", '{"x": 1}')
    assert refused.code == 2
    assert "is ported without --sample" in refused.err


def test_a_loop_whose_first_step_is_handed_nothing_is_not_celerys_fault(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("till/__init__.py", "")
    fold = "\n\ndef sums(names):\n    return chain(add.s(one) for one in names if one)\n"
    folder.write("till/tasks.py", ROUNDS + fold)
    refused = folder.port("till.tasks:sums", "--to", "temporal")
    assert (refused.code, refused.out) == (2, "")
    assert "PORT306: till/tasks.py:" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_the_first_step_of_a_chain_that_a_loop_builds(tmp_path: Path, engine: str) -> None:
    folder = Folder(tmp_path)
    folder.write("till/__init__.py", "")
    fold = "\n\ndef sums(names):\n    return chain(add.s(one) for one in names)\n"
    folder.write("till/tasks.py", ROUNDS + fold)
    samples = ("--sample", '{"names": [1, 2, 3]}', "--sample", '{"names": [4]}')
    ended = folder.port("till.tasks:sums", "--to", engine, *samples)
    assert ended.code == (1 if engine == "temporal" else 0), ended.err
    file = "workflows" if engine == "temporal" else "flows"
    text = (tmp_path / f"till_{engine}/{file}.py").read_text()
    assert "if first:" in text
    assert "first = False" in text


def test_a_loop_without_a_round_hands_nothing_on(tmp_path: Path) -> None:
    """What follows is the first step then; on Celery it fails where it needs a result."""
    folder = Folder(tmp_path)
    folder.write("till/__init__.py", "")
    one = "\n\ndef sums(names):\n    return chain(*[mark.si(one) for one in names], add.s(5))\n"
    two = "\n\ndef needs(names):\n    return chain(*[mark.si(one) for one in names], mark.s())\n"
    folder.write("till/tasks.py", ROUNDS + one + two)
    samples = ("--sample", '{"names": [1, 2]}', "--sample", '{"names": []}')
    ended = folder.port("till.tasks:sums", "--to", "prefect", *samples)
    assert ended.code == 0, ended.err or ended.out
    needs = folder.port("till.tasks:needs", "--to", "prefect", "--out", "needs", *samples[:2])
    assert needs.code == 1, needs.err
    text = (tmp_path / "needs/flows.py").read_text()
    assert "till.tasks.mark misses the argument 'number'" in text


def test_an_empty_body_that_hides_failures_is_told_of(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("till/__init__.py", "")
    text = ROUNDS.replace("import Celery, chain", "import Celery, chain, chord, group")
    hides = "\n\ndef hides():\n    return chord([add.s(1)], group([]))\n"
    folder.write("till/tasks.py", text + hides)
    ended = folder.port("till.tasks:hides", "--to", "temporal")
    assert "PORT145 decide: hides: a header fails as a whole" in ended.out
