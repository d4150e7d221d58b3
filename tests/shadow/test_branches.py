"""Which ways through a source were gone."""

import importlib.util
import textwrap
import threading

import pytest

from offcanvas.shadow.branches import Branches

SOURCE = """
def orders(given, gift=False):
    labels = []
    for one in given:
        label = str(one)
        if gift and (
            one > 1
        ):
            label += "!"
        labels.append(label)
    try:
        first = 10 // len(labels)
    except ZeroDivisionError:
        return None
    while first > 100:
        first -= 1
    return labels


async def later(given):
    if given:
        return 1
    return 2
"""
ALL = {
    "flow.py:4 for one in given: any",
    "flow.py:6 if gift and one > 1: true",
    "flow.py:6 if gift and one > 1: false",
    "flow.py:13 except ZeroDivisionError",
    "flow.py:15 while first > 100: true",
    "flow.py:15 while first > 100: false",
    "flow.py:21 if given: true",
    "flow.py:21 if given: false",
}


@pytest.fixture
def flow(tmp_path):
    path = tmp_path / "flow.py"
    path.write_text(textwrap.dedent(SOURCE))
    spec = importlib.util.spec_from_file_location("flow", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return path, module


def untaken(flow, run, functions=None):
    path, module = flow
    found = Branches([path], functions)
    with found.watched():
        run(module)
    return set(found.untaken)


def test_nothing_was_taken(flow):
    assert untaken(flow, lambda _: None) == ALL


def test_each_way_is_told_by_itself(flow):
    left = untaken(flow, lambda module: module.orders([1]), ["orders"])
    assert left == {
        "flow.py:6 if gift and one > 1: true",
        "flow.py:13 except ZeroDivisionError",
        "flow.py:15 while first > 100: true",
    }

    def more(module):
        module.orders([])
        module.orders([1, 2], gift=True)

    assert untaken(flow, more, ["orders"]) == {"flow.py:15 while first > 100: true"}


def test_threads_that_begin_meanwhile_are_watched(flow):
    def beside(module):
        thread = threading.Thread(target=module.orders, args=([],))
        thread.start()
        thread.join()

    left = untaken(flow, beside, ["orders"])
    assert "flow.py:13 except ZeroDivisionError" not in left
    assert "flow.py:4 for one in given: any" in left


def test_coroutines_are_watched(flow):
    def await_(module):
        with pytest.raises(StopIteration):
            module.later(True).send(None)

    assert untaken(flow, await_, ["later"]) == {"flow.py:21 if given: false"}


def test_afterwards_nobody_is_watched(flow):
    path, module = flow
    found = Branches([path])
    with found.watched():
        pass
    module.orders([1])
    assert set(found.untaken) == ALL
