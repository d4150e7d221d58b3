"""Lists of signatures that are read in a branch, or filled amid other code; values of a step."""

import re
from pathlib import Path

import pytest

from tests.port.project import Folder

TASKS = '''
from celery import Celery, chain, chord, group

app = Celery("stall", broker="memory://")


@app.task
def pick(item: int) -> int:
    return item


@app.task
def pack(items: list[int], label: str) -> int:
    return len(items)


@app.task
def done(label: str) -> str:
    return label


def goods(kind: str) -> list[int]:
    return [3, 1, 2] if kind == "full" else []


def by_steps(items: list[int], more: bool):
    """The list that was filled before is the header in the branch."""
    picked = [pick.s(item) for item in items]
    steps = []
    if picked:
        steps.append(chord(group(*picked), pack.s("first")))
    if more:
        steps.append(done.si("more"))
    steps.append(done.si("end"))
    return chain(*steps)


@app.task(bind=True)
def filled(self, kind: str):
    if kind == "closed":
        return None
    picked = []
    seen = 0
    for number in goods(kind):
        try:
            if number == 2:
                raise LookupError
            picked.append(pick.s(number))
            seen += 1
        except LookupError:
            print("missing", number)
    if picked:
        return self.replace(chord(group(*picked), pack.s(f"{seen} seen")))
    return None


@app.task(bind=True)
def counted(self, kind: str):
    seen = 0
    label = ""
    for number in goods(kind):
        seen += number
        label += str(number)
    print(seen)
    return self.replace(chain(pick.s(seen), done.si(label)))


def in_the_loop_that_fills_it(items: list[int]):
    picked, steps = [], []
    for item in items:
        picked.append(pick.s(item))
        steps.append(chord(group(*picked), pack.s("more")))
    return chain(*steps)
'''


def _folder(path: Path) -> Folder:
    folder = Folder(path)
    folder.write("stall/__init__.py", "")
    folder.write("stall/tasks.py", TASKS)
    return folder


def test_a_list_is_what_it_was_before_the_branch(tmp_path: Path) -> None:
    """The samples compare the calls with those of the original."""
    folder = _folder(tmp_path)
    ended = folder.port(
        *("stall.tasks:by_steps", "--to", "temporal"),
        *("--sample", '{"items": [1, 2, 3], "more": true}'),
        *("--sample", '{"items": [4, 5], "more": false}'),
    )
    assert ended.code == 1, ended.err
    text = (folder.path / "stall_temporal/workflows.py").read_text()
    assert "if bool(given.items):" in text or "for item in given.items" in text


def test_a_list_that_its_own_loop_reads_is_not_guessed(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    ended = folder.port("stall.tasks:in_the_loop_that_fills_it", "--to", "temporal")
    assert ended.code == 1
    assert "PORT215 todo: group(*picked)" in ended.out or "PORT215 todo: picked" in ended.out


def test_records_in_the_place_of_signatures(tmp_path: Path) -> None:
    for engine, steps in (("temporal", "activities"), ("prefect", "tasks")):
        folder = _folder(tmp_path / engine)
        ended = folder.port(
            *("stall.tasks:filled", "--to", engine),
            *(w for kind in ("full", "closed", "") for w in ("--sample", f'{{"kind": "{kind}"}}')),
        )
        assert ended.code == 1, ended.err
        assert "todo" not in ended.out
        work = (folder.path / "stall/work.py").read_text()
        assert 'picked.append({"value": number})' in work or 'append({"item": number})' in work
        text = (folder.path / f"stall_{engine}/{steps}.py").read_text()
        assert "if found is None:\n        return None" in text
        typed = folder.run("-m", "mypy", "--strict", f"stall_{engine}")
        assert typed.code == 0, typed.out


def test_several_values_of_a_step_have_a_class(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    ended = folder.port(
        *("stall.tasks:counted", "--to", "temporal", "--sample", '{"kind": "full"}')
    )
    assert ended.code == 1, ended.err
    text = (folder.path / "stall_temporal/activities.py").read_text()
    assert "return CountedPlan(*work.counted(kind))" in text
    assert "class CountedPlan:" in (folder.path / "stall_temporal/inputs.py").read_text()


def test_two_modules_of_bodies_have_names_of_their_own(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    folder.write("depot/__init__.py", "")
    folder.write(
        "depot/tasks.py",
        "from stall.tasks import app\n\n\n@app.task\ndef pick(item: int) -> int:\n"
        "    return -item\n",
    )
    folder.write(
        "stall/both.py",
        "from celery import chain\n\nfrom depot import tasks as depot\n"
        "from stall import tasks\n\n\n"
        "def both(item: int):\n    return chain(tasks.pick.s(item), depot.pick.s())\n",
    )
    ended = folder.port("stall.both:both", "--to", "temporal")
    assert ended.code == 1, ended.err
    tried = "from stall_temporal import activities as a; print(a.pick(3), a.pick_2(3))"
    assert folder.run("-c", tried).out == "3 -3\n"


TWO_PLANS = """
from celery import Celery, chain, group

app = Celery("stall", broker="memory://")


class Order:
    def __init__(self, id: int, weight: int, address: str) -> None:
        self.id, self.weight, self.address = id, weight, address


def orders(day: str) -> list[Order]:
    return [Order(1, 5, "here"), Order(2, 7, "there")]


@app.task
def weigh(id: int, weight: int) -> int:
    return weight


@app.task
def send(id: int, address: str) -> str:
    return f"{id} to {address}"


def weights(day: str):
    return group(weigh.s(order.id, order.weight) for order in orders(day))


def parcels(day: str):
    return group(send.s(order.id, order.address) for order in orders(day))


def again(day: str):
    return group(weigh.s(order.id, order.weight) for order in orders(day))
"""


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_rows_of_one_name_are_classes_of_their_own(tmp_path: Path, engine: str) -> None:
    """Two canvases look at different attributes of an order; the third at those of the first."""
    folder = Folder(tmp_path)
    folder.write("stall.py", TWO_PLANS)
    ended = folder.port(".", "--to", engine, "--out", "out", "--sample", '{"day": "monday"}')
    assert ended.code == 1, ended.err
    rows = (tmp_path / f"out/{'inputs' if engine == 'temporal' else 'tasks'}.py").read_text()
    assert re.findall(r"^class (\w*Row):", rows, re.MULTILINE) == ["OrderRow", "ParcelsOrderRow"]
    typed = folder.run("-m", "mypy", "--strict", "out")
    assert typed.code == 0, typed.out
    if engine == "temporal":
        tests = ("-m", "pytest", "-q", "-p", "no:offcanvas", "out/tests/test_workflows.py")
        assert folder.run(*tests).code == 0
