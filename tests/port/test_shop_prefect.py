"""The example of the design as Prefect flows: what is written, and what it does on a server."""

from pathlib import Path

import pytest

from tests.port.both_sides import Case, in_celery, in_prefect
from tests.port.project import Folder
from tests.port.test_shop import BLOCKED, GOLDEN

CASES: list[Case] = [
    ("rolls", {"run_id": "r1"}),
    ("rolls", {"run_id": "bad"}),
    ("import_feed", {"url": "shop.example"}),
    ("import_feed", {"url": "flaky.example"}),
    ("import_feed", {"url": "gone.example"}),
    ("previews", {"path": "A.JPG"}),
    ("nightly", {"day": "monday"}),
    ("refresh", {"names": ["a", "b", "c"]}),
]


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder.of_example("shop", tmp_path_factory.mktemp("ported"))
    ended = folder.port(".", "--to", "prefect", *folder.all_samples())
    assert (ended.code, ended.err) == (1, "")
    return folder


def test_what_is_emitted_is_as_kept(tmp_path: Path) -> None:
    """Looked at by people; `python -m tests.port` writes it anew."""
    shop = Folder.of_example("shop", tmp_path)
    ended = shop.port(".", "--to", "prefect", "--diff", *shop.all_samples())
    assert ended.code == 1
    assert ended.out == (GOLDEN / "shop_prefect.diff").read_text()


def test_the_port_is_typed_and_formatted(ported: Folder) -> None:
    typed = ported.run("-m", "mypy", "--strict", "shop_prefect")
    assert typed.code == 0, typed.out
    formatted = ported.run("-m", "ruff", "format", "--check", "--line-length=100", "shop_prefect")
    assert formatted.code == 0, formatted.out


def test_the_port_imports_without_celery(ported: Folder) -> None:
    ended = ported.run("-c", BLOCKED.replace("shop_temporal", "shop_prefect"))
    assert ended.code == 0, ended.err
    assert int(ended.out) >= 6


@pytest.mark.servers
def test_flows_call_what_the_canvases_called(
    ported: Folder, redis_url: str, prefect_url: str
) -> None:
    wanted = in_celery(ported, "shop", redis_url, CASES)
    found = in_prefect(ported, "shop", prefect_url, CASES)
    for case, one, other in zip(CASES, wanted, found, strict=True):
        if case[0] == "previews":
            # Celery reverses a nested group; the port keeps the order in which it is written.
            assert one.end[1].split("+") == ["a.jpg@64", "a.jpg@256", "a.jpg@128", "a.jpg.exif"]
            assert other.end[1].split("+") == ["a.jpg@64", "a.jpg@128", "a.jpg@256", "a.jpg.exif"]
            assert len(one.calls) == len(other.calls)
            continue
        assert one.calls == other.calls, case
        assert one.end[0] == other.end[0], case
        if one.end[0] == "returned":
            assert one.end == other.end, case
