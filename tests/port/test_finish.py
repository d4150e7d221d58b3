"""Celery's side goes once nothing uses it, and not before."""

from pathlib import Path

import pytest

from tests.port.project import Folder


@pytest.fixture
def ported(tmp_path: Path) -> Folder:
    folder = Folder.of_example("shop", tmp_path)
    ended = folder.port(".", "--to", "prefect", *folder.all_samples())
    assert ended.code == 1, ended.err
    return folder


def test_what_goes_is_shown_first(ported: Folder) -> None:
    before = (ported.path / "shop/tasks.py").read_text()
    ended = ported.port("--finish", "shop_prefect")
    assert ended.code == 1
    assert "-def nightly(day: str):" in ended.out
    assert (ported.path / "shop/tasks.py").read_text() == before
    assert (ported.path / "shop_prefect/tests/test_equivalence.py").exists()


def test_it_goes_and_the_port_stands_alone(ported: Folder) -> None:
    ended = ported.port("--finish", "shop_prefect", "--write")
    assert ended.code == 0, ended.err
    assert not (ported.path / "shop/tasks.py").exists()
    assert not (ported.path / "shop_prefect/tests/test_equivalence.py").exists()
    blocked = "import sys; sys.modules['celery'] = sys.modules['offcanvas'] = None; "
    alone = ported.run("-c", blocked + "from shop_prefect import flows, starter, worker")
    assert alone.code == 0, alone.err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from shop.tasks import nightly\n\n\ndef late():\n    nightly('x').delay()\n", 5),
        ("from shop import tasks\n\ntasks.charge.delay(1)\n", 3),
    ],
)
def test_what_is_still_used_stays(ported: Folder, text: str, line: int) -> None:
    ported.write("shop/late.py", text)
    ended = ported.port("--finish", "shop_prefect", "--write")
    assert ended.code == 2
    assert f"shop/late.py:{line}: " in ended.err
    assert (ported.path / "shop/tasks.py").exists()


def test_a_package_that_is_no_port(tmp_path: Path) -> None:
    ended = Folder(tmp_path).port("--finish", "nothing")
    assert (ended.code, ended.out) == (2, "")
    assert "no port of that name" in ended.err


def test_a_module_with_more_in_it_keeps_the_rest(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    text = (folder.path / "shop/tasks.py").read_text()
    folder.write("shop/tasks.py", text + "\n\ndef price(order):\n    return order.id\n")
    assert folder.port(".", "--to", "prefect").code == 1
    assert folder.port("--finish", "shop_prefect", "--write").code == 0
    left = (folder.path / "shop/tasks.py").read_text()
    assert "def price(order):" in left
    assert "@app.task" not in left
    assert "chord" not in left
