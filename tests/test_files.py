"""Attacks on what commands write: links and names laid out by whoever made the code base."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from offcanvas.errors import UsageError
from offcanvas.files import write_whole


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "victim").write_text("mine")
    return tmp_path / "tree"


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_link_under_the_name_of_a_temporary_file_is_not_followed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offcanvas.files.secrets.token_hex", lambda _size: "guessed")
    (tree / ".report.guessed.part").symlink_to(tree.parent / "victim")
    with pytest.raises(UsageError, match="the report cannot be written: File exists"):
        write_whole(tree / "report", b"data", "the report")
    assert (tree.parent / "victim").read_text() == "mine"
    assert left_in(tree) == [".report.guessed.part"]


def _file(tree: Path) -> None:
    (tree / "report").symlink_to(tree.parent / "victim")


def _relative(tree: Path) -> None:
    (tree / "report").symlink_to("../victim")


def _new(tree: Path) -> None:
    (tree / "report").symlink_to("../not_there")


def _in_steps(tree: Path) -> None:
    (tree / "hop").symlink_to("../victim")
    (tree / "report").symlink_to("hop")


def _folder(tree: Path) -> None:
    (tree / "way").symlink_to("..")
    (tree / "report").symlink_to("way/victim")


def _neighbour(tree: Path) -> None:
    # A folder whose name begins as the tree's does is not inside of it.
    (tree.parent / "tree2").mkdir()
    (tree / "report").symlink_to("../tree2/victim")


@pytest.mark.parametrize("lay", [_file, _relative, _new, _in_steps, _folder, _neighbour])
def test_a_link_that_leads_out_of_the_tree_is_refused(
    tree: Path, lay: Callable[[Path], None]
) -> None:
    lay(tree)
    before = left_in(tree), left_in(tree.parent)
    with pytest.raises(UsageError, match="leads out of"):
        write_whole(tree / "report", b"data", "the report")
    assert (tree.parent / "victim").read_text() == "mine"
    assert (left_in(tree), left_in(tree.parent)) == before


def test_a_folder_on_the_way_that_leads_out_of_the_tree_is_refused(tree: Path) -> None:
    (tree / "sub").symlink_to("..")
    with pytest.raises(UsageError, match="leads out of"):
        write_whole(tree / "sub" / "victim", b"data", "the report", within=tree)
    assert (tree.parent / "victim").read_text() == "mine"


def test_a_link_inside_the_tree_stays_one(tree: Path) -> None:
    (tree / "sub").mkdir()
    (tree / "sub" / "real").write_text("before")
    (tree / "report").symlink_to("sub/real")
    write_whole(tree / "report", b"after", "the report", within=tree)
    assert (tree / "report").is_symlink()
    assert (tree / "sub" / "real").read_text() == "after"


def test_a_second_name_of_a_file_outside_keeps_what_it_has(tree: Path) -> None:
    os.link(tree.parent / "victim", tree / "report")
    write_whole(tree / "report", b"after", "the report")
    assert (tree / "report").read_text() == "after"
    assert (tree.parent / "victim").read_text() == "mine"


def test_links_in_a_circle_and_folders_are_one_line(tree: Path) -> None:
    (tree / "report").symlink_to("report")
    (tree / "folder").mkdir()
    for name in ("report", "folder"):
        with pytest.raises(UsageError, match="the report cannot be written: "):
            write_whole(tree / name, b"data", "the report")
    assert left_in(tree) == ["folder", "report"]


def test_modes_are_kept_and_new_files_follow_the_umask(tree: Path) -> None:
    (tree / "old").write_text("before")
    (tree / "old").chmod(0o640)
    before = os.umask(0o027)
    try:
        write_whole(tree / "old", b"", "it")
        write_whole(tree / "new", b"", "it")
    finally:
        os.umask(before)
    assert [(tree / name).stat().st_mode & 0o777 for name in ("old", "new")] == [0o640, 0o640]


def test_a_pipe_and_what_is_open_are_written_to(tree: Path) -> None:
    read, write = os.pipe()
    write_whole(Path(f"/dev/fd/{write}"), b"one", "it")
    assert os.read(read, 3) == b"one"
    with (tree / "log").open("wb") as log:
        log.write(b"before ")
        log.flush()
        write_whole(Path(f"/proc/self/fd/{log.fileno()}"), b"after", "it")
    assert (tree / "log").read_text() == "before after"
