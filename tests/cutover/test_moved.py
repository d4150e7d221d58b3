"""A root is moved, and back, with real workers on both sides."""

import json
from collections import Counter

import pytest

pytestmark = pytest.mark.servers

HERE = "tests.cutover.shop"
ROOTS = (".charge", ":book", ":leaflet", ".rebind", ".fail", ".forget")


def test_orders_go_both_ways_and_back(moved):
    stage, engine = moved
    words = ("--to", engine, "--percent", "50", "--key", "order")
    stage.until(lambda: stage.command("set", f"{HERE}.charge", *words).returncode == 0)
    for root in ROOTS[1:]:
        ran = stage.command("set", f"{HERE}{root}", *words)
        assert ran.returncode == 0, ran.stderr
    said = stage.run(
        """
results = [charge.delay(n, n) for n in range(8)] + [book(n).delay() for n in range(4)]
results += [leaflet(n) for n in range(4)] + [rebind.delay(100 + n) for n in range(4)]
failed = [fail.delay(n) for n in range(4)]
[forget.delay(n) for n in range(4)]
print([one.get(timeout=120) for one in results])
print([type(one.get(timeout=120, propagate=False)).__name__ for one in failed])
"""
    )
    values = [2 * n for n in range(8)] + [3] * 4 + [1] * 8
    assert said.splitlines() == [str(values), str(["ValueError"] * 4)]
    stage.until(lambda: sum(one[1] == "forget" for one in stage.lines()) == 4)
    lines = stage.lines()
    sides = {where for where, *_ in lines}
    assert sides == {"celery", engine}
    # What a root starts is where the root is: the pages of a book, and what it sends itself.
    for order in range(100, 104):
        names = {str(order), f"{order}-inner"}
        assert len({where for where, _, name in lines if name in names}) == 1, order
    # Each step of each order is there once.
    expected = Counter(str(n) for n in range(8))
    charged = Counter(name for _, step, name in lines if step == "charge" and "-" not in name)
    assert charged == expected
    stage.until(lambda: stage.command("sweep").returncode == 0 and not _open(stage))
    found = {one["root"]: one for one in _status(stage)["roots"]}
    fails = found[f"{HERE}.fail"]["sides"]
    assert sum(side["failed"] for side in fails) == 4
    for one in found.values():
        assert [side["engine"] for side in one["sides"]] == ["celery", engine]
        assert sum(side["orders"] for side in one["sides"]) == (8 if "charge" in one["root"] else 4)
    page = stage.folder / "status.html"
    assert stage.command("status", "--html", str(page)).returncode == 0
    assert f"<td>{HERE}.charge</td>" in page.read_text()
    assert engine in stage.command("status").stdout
    back = stage.command("rollback", f"{HERE}.charge")
    assert back.stdout == f"{HERE}.charge: all of it stays on Celery from now on\n"
    assert f"{HERE}.charge was stopped: rolled back by hand" in stage.command("status").stdout
    assert _status(stage)["roots"][0]["stopped"] == "rolled back by hand"
    before = len(stage.lines())
    stage.run("print([charge.delay(n, 1).get(timeout=60) for n in range(8)])")
    assert {where for where, *_ in stage.lines()[before:]} == {"celery"}


def test_work_in_flight_is_begun_again_if_it_may_be(moved):
    stage, engine = moved
    root = f"{HERE}.slow"
    words = ("set", root, "--to", engine, "--percent", "100", "--key", "order")
    stage.until(lambda: stage.command(*words).returncode == 0)
    stage.run("slow.apply_async((1, 600), task_id='a')")
    stage.until(lambda: len(stage.lines()) == 1)
    refused = stage.command("rollback", root, "--redo")
    assert refused.returncode == 2
    assert "is not restartable" in refused.stderr
    text = stage.rules.read_text()
    stage.rules.write_text(text.replace("percent = 100", "percent = 100\nrestartable = true"))
    back = stage.command("rollback", root, "--redo")
    assert "1 in flight; 1 begin again on Celery" in back.stdout, back.stderr
    stage.until(lambda: len(stage.lines()) == 2)
    assert [where for where, *_ in stage.lines()] == [engine, "celery"]


def _status(stage):
    return json.loads(stage.command("status", "--json").stdout)


def _open(stage):
    return sum(side["open"] for one in _status(stage)["roots"] for side in one["sides"])
