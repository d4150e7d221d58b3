"""The README's figures: they come from a comparison, and have the form in which it prints them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from comparisons import readme
from comparisons.export import as_json, dumps
from comparisons.plan import ENGINES
from shared.cli import run
from shared.errors import UsageError
from shared.variants import BY_NAME
from tests.comparisons.browser import chromium
from tests.comparisons.samples import MAKESPANS, comparison, spoiled

PAGE = readme.PAGE.read_text(encoding="utf-8")
BLOCK = PAGE.partition(readme.BEGIN)[2].partition(readme.END)[0].strip("\n")


def shape(block: str) -> list[str]:
    """The table's lines without their figures and without the widths that come from these."""
    table = block.partition("```text\n")[2].partition("```")[0]
    masked = (re.sub(r"(?<![\w:])(?:\d[\d.]*(?: m?s)?|-)(?!\w)", "0", line) for line in
              table.replace("─", "").splitlines())  # fmt: skip
    return [" ".join(line.split()) for line in masked]


def test_the_page_has_the_shape_that_the_command_writes() -> None:
    workloads = re.findall(r"^ (\w+:\d+)$", BLOCK, re.MULTILINE)
    jobs = [*BY_NAME, *workloads]
    whole = comparison(
        {(job, engine): [1.0, 2.0, 3.0] for job in jobs for engine in ENGINES},
        variants=None, engines=None, workloads=",".join(workloads) or "none",
    )  # fmt: skip
    written = readme.figures(as_json(whole), "a note")
    assert len(workloads) >= 1
    assert shape(BLOCK) == shape(written)
    for block in (BLOCK, written):
        said = " ".join(block.partition("```")[0].split())
        assert re.fullmatch(
            r"On \d+ cores \(.+\), \d+ \w+ 20\d\d, with `make compare( ARGS=\".+\")?`, "
            r"which took \d+ s( \(.+\))?:",
            said,
        )
        assert "\n- All " in block
        assert max(map(len, block.splitlines())) <= 126


def test_writing_twice_changes_nothing_and_the_rest_stays() -> None:
    block = readme.figures(as_json(comparison(MAKESPANS)))
    once = readme.with_figures(PAGE, block)
    assert readme.with_figures(once, block) == once
    assert once.replace(block, BLOCK) == PAGE


@pytest.mark.parametrize("page", ["", f"{readme.BEGIN}", f"{readme.END}{readme.BEGIN}"])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(UsageError, match="the markers are missing"):
        readme.with_figures(page, "block")


def test_the_command_leaves_out_what_is_usual() -> None:
    results = as_json(comparison(MAKESPANS))
    assert readme.command(results) == (
        'make compare ARGS="--voters 2000 --seed 7 --variants all_in_one,chord_by_station '
        '--workloads noop:100,noop:1000 --engines celery,temporal --repeat 3"'
    )
    usual = comparison({}, voters=None, seed=None, variants=None, workloads=None, engines=None)
    usual = replace(usual, plan=replace(usual.plan, repeat=2))
    assert readme.command(as_json(usual)) == "make compare"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file; run `make compare` first"),
        ("{", "no results of a comparison"),
        ("[]", "no results of a comparison"),
        ("{}", "no results of a comparison"),
        (dumps(as_json(spoiled(comparison(MAKESPANS), 0))), "not every run did what it had to"),
        (dumps(as_json(comparison(MAKESPANS))), "report.html: no such file"),
    ],
)
def test_misuse_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "results.json").write_text(content, encoding="utf-8")
    before = (PAGE, readme.PICTURE.read_bytes())
    with pytest.raises(SystemExit) as caught:
        run(readme.app, "python -m comparisons.readme", ["--results", str(tmp_path)])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert (readme.PAGE.read_text(encoding="utf-8"), readme.PICTURE.read_bytes()) == before


def test_another_page_has_figures_and_no_picture(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{readme.BEGIN}\n{readme.END}\nafter\n", encoding="utf-8")
    results = as_json(comparison(MAKESPANS))
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    before = readme.PICTURE.read_bytes()
    for name, status in (page, 0), (tmp_path / "none.md", 2):
        with pytest.raises(SystemExit) as ended:
            run(readme.app, "readme", ["--results", str(tmp_path), "--page", str(name)])
        assert ended.value.code == status
    assert readme.figures(results) in page.read_text(encoding="utf-8")
    assert readme.PICTURE.read_bytes() == before


@pytest.mark.browser
def test_page_and_picture_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chromium()
    page, picture = tmp_path / "README.md", tmp_path / "report.png"
    page.write_text(f"before\n{readme.BEGIN}\n{readme.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(readme, "PAGE", page)
    monkeypatch.setattr(readme, "PICTURE", picture)
    results = as_json(comparison(MAKESPANS))
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (tmp_path / "report.html").write_text("<h1>The report</h1>", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run(readme.app, "readme", ["--results", str(tmp_path), "--note", "busy"])
    assert ended.value.code == 0
    assert readme.figures(results, "busy") in page.read_text(encoding="utf-8")
    content = picture.read_bytes()
    size = [int.from_bytes(content[at : at + 4], "big") for at in (16, 20)]
    assert (content[:8], size) == (b"\x89PNG\r\n\x1a\n", list(readme.PICTURE_SIZE))
