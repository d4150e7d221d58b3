from pathlib import Path

from offcanvas.audit.cache import digest
from offcanvas.audit.finding import Edit, Finding, Severity
from offcanvas.audit.fix import apply, as_diff, cured


def finding(*edits: Edit, imports: tuple[tuple[str, str], ...] = ()) -> Finding:
    return Finding("a.py", 1, 1, "CEL206", Severity.HIGH, "x", edits=edits, imports=imports)


def test_edits_count_bytes_and_keep_all_else(tmp_path: Path) -> None:
    before = 'x = "é"; y  =  f(1)  # é\r\n'
    (tmp_path / "a.py").write_bytes(before.encode())
    start = before.encode().index(b"f(1)")
    changes = cured([finding(Edit(1, start, 1, start + 4, "g(2)"))], tmp_path)
    assert apply(changes, tmp_path) == 1
    assert (tmp_path / "a.py").read_bytes() == before.replace("f(1)", "g(2)").encode()


def test_an_import_is_added_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Doc."""\n\nimport os\n\nf(lambda: g())\n')
    changes = cured(
        [finding(Edit(5, 2, 5, 13, "partial(g)"), imports=(("functools", "partial"),))], tmp_path
    )
    assert "+from functools import partial\n" in as_diff(changes)
    apply(changes, tmp_path)
    assert (tmp_path / "a.py").read_text().count("from functools import partial") == 1


def test_overlapping_cures_wait_for_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("f(g(1))\n")
    changes = cured([finding(Edit(1, 0, 1, 7, "h()")), finding(Edit(1, 2, 1, 6, "k()"))], tmp_path)
    assert changes.count == 1
    assert changes.notes == ["a.py: 1 cures overlap with others; run --fix once more"]


def test_a_cure_that_breaks_the_file_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("f(1)\n")
    changes = cured([finding(Edit(1, 0, 1, 4, "f(("))], tmp_path)
    assert apply(changes, tmp_path) == 0
    assert (tmp_path / "a.py").read_text() == "f(1)\n"
    assert changes.notes[0].startswith("a.py: left alone: ")


def test_a_file_that_has_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\nf(1)\n")
    seen = {"a.py": digest(b"f(1)\n")}
    changes = cured([finding(Edit(1, 0, 1, 4, "g()"))], tmp_path, seen)
    assert apply(changes, tmp_path) == 0
    assert (tmp_path / "a.py").read_text() == "import os\nf(1)\n"
    assert changes.notes == ["a.py: left alone: it has changed since it was read; run once more"]
