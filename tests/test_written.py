"""Files that commands write, in a tree whose maker has laid links where they will be written."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from offcanvas.cli import main

SHOP = Path(__file__).parent / "port" / "examples" / "shop"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a file and a folder of somebody's beside it."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "victim").write_text("# mine\n")
    (tmp_path / "outside").mkdir()
    monkeypatch.chdir(tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def refused(tree: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> Callable[..., str]:
    """Run a command that is refused in one line; nothing outside of the tree has changed."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["offcanvas", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert (ended.value.code, err.count("\n")) == (2, 1), out + err
        assert (tree.parent / "victim").read_text() == "# mine\n"
        assert list((tree.parent / "outside").iterdir()) == []
        return err

    return run


CUTOVER = ["-A", "tests.misnamed", "--rules"]


@pytest.mark.parametrize(
    "words",
    [
        ["schedules", "-A", "tests.misnamed", "--to", "prefect", "--diff-days", "0", "--out"],
        ["schedules", "-A", "tests.misnamed", "--to", "temporal", "--diff-days", "0", "--out"],
        ["compare", "tests.misnamed:canvas", "--on", "memory", "--html"],
        ["cutover", "status", "-A", "tests.misnamed", "--html"],
        ["cutover", "set", "tests.misnamed.fails", "-A", "tests.misnamed", "--to", "temporal",
         "--claims", "sqlite:///claims.db", "--rules"],
        ["audit", ".", "--output"],
        ["audit", ".", "--write-baseline"],
    ],
    ids=lambda words: " ".join(words[:2]),
)  # fmt: skip
def test_a_link_out_of_the_tree_is_not_written_through(
    tree: Path, refused: Callable[..., str], words: list[str]
) -> None:
    (tree / "tasks.py").write_text("x = 1\n")
    for to in ("../victim", "../new"):
        (tree / "file").symlink_to(to)
        assert "file cannot be written: it is a link that leads out of" in refused(*words, "file")
        (tree / "file").unlink()
    assert not (tree.parent / "new").exists()


@pytest.mark.parametrize("name", ["shop_temporal", ".offcanvas", "shop_temporal/workflows.py",
                                  ".offcanvas/port.json"])  # fmt: skip
@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
def test_a_port_is_not_written_through_links(
    tree: Path, refused: Callable[..., str], name: str, there: bool
) -> None:
    shutil.copytree(SHOP, tree / "shop")
    link = tree / name
    link.parent.mkdir(exist_ok=True)
    outside = "new" if not there else "victim" if "." in name[1:] else "outside"
    link.symlink_to(tree.parent / outside)
    told = refused("port", "shop.tasks:nightly", "--out", "shop_temporal")
    assert "cannot be" in told or "is there already" in told
    assert not (tree.parent / "new").exists()
    # Nor is the rest of the port.
    written = [one for one in tree.rglob("*.py") if one.relative_to(tree).parts[0] != "shop"]
    assert written in ([], [link])


def test_a_folder_of_a_port_that_is_a_file_is_one_line(
    tree: Path, refused: Callable[..., str]
) -> None:
    shutil.copytree(SHOP, tree / "shop")
    for name in ("shop_temporal", ".offcanvas"):
        (tree / name).write_text("not a folder")
        told = refused("port", "shop.tasks:nightly", "--out", "shop_temporal")
        assert f"cannot be written: {name} is no folder" in told
        (tree / name).unlink()
