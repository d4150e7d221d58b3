"""Figures in the documentation come from a comparison and have the form in which it prints them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from comparisons import figures
from comparisons.export import as_json, dumps
from comparisons.figures import Block
from comparisons.plan import ENGINES
from shared.cli import run
from shared.errors import UsageError
from shared.variants import BY_NAME
from tests.comparisons.browser import chromium
from tests.comparisons.samples import MAKESPANS, comparison, spoiled

PAGE = figures.PAGE.read_text(encoding="utf-8")


def standing(block: Block) -> str:
    """The block's figures as they stand on the page."""
    return PAGE.partition(block.begin)[2].partition(block.end)[0].strip("\n")


def shape(block: str) -> list[str]:
    """The table's lines without their figures and without the widths that come from these."""
    table = block.partition("```text\n")[2].partition("```")[0]
    masked = (re.sub(r"(?<![\w:])(?:\d[\d.]*(?: m?s)?|-)(?!\w)", "0", line) for line in
              table.replace("─", "").splitlines())  # fmt: skip
    return [" ".join(line.split()) for line in masked]


@pytest.mark.parametrize("block", Block)
def test_the_page_has_the_shape_that_the_command_writes(block: Block) -> None:
    found = standing(block)
    workloads = re.findall(r"^ (\w+:\d+)$", found, re.MULTILINE)
    variants = BY_NAME if block is Block.VARIANTS else ()
    whole = comparison(
        {(job, engine): [1.0, 2.0, 3.0] for job in (*variants, *workloads) for engine in ENGINES},
        variants=None if variants else "none", engines=None, workloads=",".join(workloads),
    )  # fmt: skip
    written = figures.text_of(as_json(whole), "a note")
    assert len(workloads) >= 1
    assert shape(found) == shape(written)
    for text in (found, written):
        said = " ".join(text.partition("```")[0].split())
        assert re.fullmatch(
            r"On \d+ cores \(.+\), \d+ \w+ 20\d\d, with `make compare( ARGS=\".+\")?`, "
            r"which took \d+ s( \(.+\))?:",
            said,
        )
        assert "\n- All " in text
        assert max(map(len, text.splitlines())) <= 126


@pytest.mark.parametrize("block", Block)
def test_writing_twice_changes_nothing_and_the_rest_stays(block: Block) -> None:
    text = figures.text_of(as_json(comparison(MAKESPANS)))
    once = figures.with_figures(PAGE, block, text)
    assert figures.with_figures(once, block, text) == once
    assert once.replace(text, standing(block)) == PAGE


BEGIN, END = Block.VARIANTS.begin, Block.VARIANTS.end


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_markers_is_refused(page: str) -> None:
    with pytest.raises(UsageError, match="the markers are missing"):
        figures.with_figures(page, Block.VARIANTS, "text")


def test_the_command_leaves_out_what_is_usual() -> None:
    results = as_json(comparison(MAKESPANS))
    assert figures.command(results) == (
        'make compare ARGS="--voters 2000 --seed 7 --variants all_in_one,chord_by_station '
        '--workloads noop:100,noop:1000 --engines celery,temporal --repeat 3"'
    )
    usual = comparison({}, voters=None, seed=None, variants=None, workloads=None, engines=None)
    usual = replace(usual, plan=replace(usual.plan, repeat=2))
    assert figures.command(as_json(usual)) == "make compare"


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
    before = (PAGE, figures.PICTURE.read_bytes())
    with pytest.raises(SystemExit) as caught:
        run(figures.app, "python -m comparisons.figures", ["--results", str(tmp_path)])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert (figures.PAGE.read_text(encoding="utf-8"), figures.PICTURE.read_bytes()) == before


def test_the_overhead_has_figures_and_no_picture(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{Block.OVERHEAD.begin}\n{Block.OVERHEAD.end}\nafter\n", "utf-8")
    results = as_json(comparison(MAKESPANS))
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    before = figures.PICTURE.read_bytes()
    usual = ["--results", str(tmp_path), "--block", "overhead"]
    for name, status in (page, 0), (tmp_path / "none.md", 2):
        with pytest.raises(SystemExit) as ended:
            run(figures.app, "figures", [*usual, "--page", str(name)])
        assert ended.value.code == status
    assert figures.text_of(results) in page.read_text(encoding="utf-8")
    assert figures.PICTURE.read_bytes() == before


@pytest.mark.browser
def test_page_and_picture_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chromium()
    page, picture = tmp_path / "page.md", tmp_path / "report.png"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(figures, "PICTURE", picture)
    results = as_json(comparison(MAKESPANS))
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (tmp_path / "report.html").write_text("<h1>The report</h1>", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run(figures.app, "figures",
            ["--results", str(tmp_path), "--page", str(page), "--note", "busy"])  # fmt: skip
    assert ended.value.code == 0
    assert figures.text_of(results, "busy") in page.read_text(encoding="utf-8")
    content = picture.read_bytes()
    size = [int.from_bytes(content[at : at + 4], "big") for at in (16, 20)]
    assert (content[:8], size) == (b"\x89PNG\r\n\x1a\n", list(figures.PICTURE_SIZE))
