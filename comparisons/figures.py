"""`python -m comparisons.figures`: figures and picture of the documentation, from kept results.

    make compare ARGS="--repeat 3"
    .venv/bin/python -m comparisons.figures

Rewrites a block of docs/comparisons.md, between its two markers: `variants`, and with it
docs/images/report.png by headless Chromium, or with `--block overhead` the figures of the fan-outs,
without a picture. Nothing is written unless all of it can be.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from comparisons.engines import DEFAULT_ENGINES
from comparisons.export import write_whole
from comparisons.plan import DEFAULT_WORKLOADS
from comparisons.results import FORMAT
from comparisons.table import PIPE_WIDTH, table
from shared.cli import application, run
from shared.errors import UsageError
from shared.fake import DEFAULT_SEED, DEFAULT_VOTERS
from shared.variants import BY_NAME

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "comparisons.md"
PICTURE = ROOT / "docs" / "images" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PICTURE_SIZE = (1180, 1620)  # CSS pixels: the report down to its first chart
DEFAULT_REPEAT = 2

app = application("Put the figures and the picture of a comparison into docs/comparisons.md.")


class Block(StrEnum):
    """A part of the page that a comparison's results are written into."""

    VARIANTS = "variants"
    OVERHEAD = "overhead"

    @property
    def begin(self) -> str:
        """The line before its figures."""
        return f"<!-- figures: {self}, written by `python -m comparisons.figures` -->"

    @property
    def end(self) -> str:
        """The line after its figures."""
        return f"<!-- end of the figures: {self} -->"


@app.command()
def figures(
    results: Annotated[Path, typer.Option(help="Folder of results.json and report.html.")] = Path(
        "comparisons-out"
    ),
    note: Annotated[
        str, typer.Option(help="What else the reader has to know about the machine.")
    ] = "",
    block: Annotated[
        Block, typer.Option(help="Which figures of the page to rewrite.")
    ] = Block.VARIANTS,
    page: Annotated[Path, typer.Option(help="The page that has the figures.")] = PAGE,
) -> None:
    """Rewrite the figures between a block's markers; with the variants' goes the picture."""
    found = read_results(results / "results.json")
    try:
        text = with_figures(page.read_text(encoding="utf-8"), block, text_of(found, note))
    except FileNotFoundError:
        raise UsageError(f"{page}: no such file") from None
    if block is Block.VARIANTS:
        write_whole(PICTURE, picture_of(results / "report.html"))
    write_whole(page, text)
    typer.echo(f"{page.name}, {block}: {len(found['runs'])} runs of {found['created'][:10]}")


def read_results(path: Path) -> dict[str, Any]:
    """The results of a comparison whose runs all did what they had to.

    Raises:
        UsageError: there is no such file, it is something else, or its figures may not be shown.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; run `make compare` first") from None
    except ValueError:
        found = {}
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UsageError(f"{path}: these are no results of a comparison ({FORMAT})")
    if not found["agrees"]:
        raise UsageError(f"{path}: not every run did what it had to; such figures are not shown")
    return found


def text_of(results: Mapping[str, Any], note: str = "") -> str:
    """The block: on what and with which command it was measured, the table, the sentences."""
    machine, day = results["environment"], datetime.fromisoformat(results["created"])
    parts = [
        f"{machine['cores']} cores ({machine['cpu']}), {day.day} {day:%B %Y}",
        f"`{command(results)}`",
        f"{results['seconds']:.0f} s" + (f" ({note})" if note else ""),
    ]
    out = StringIO()
    Console(file=out, width=PIPE_WIDTH).print(table(results, PIPE_WIDTH))
    lines = [line.rstrip() for line in out.getvalue().strip().splitlines()]
    bullets = [
        textwrap.fill(sentence, 100, initial_indent="- ", subsequent_indent="  ",
                      break_long_words=False, break_on_hyphens=False)
        for sentence in results["sentences"]
    ]  # fmt: skip
    said = textwrap.fill(f"On {parts[0]}, with {parts[1]}, which took {parts[2]}:", 100)
    return "\n".join([said, "", "```text", *lines, "```", "", *bullets])


def command(results: Mapping[str, Any]) -> str:
    """The shortest `make compare` that repeats the comparison on this machine."""
    plan = results["plan"]
    flags = {
        "csv": (plan["csv"], None),
        "voters": (plan["voters"], None if plan["csv"] else DEFAULT_VOTERS),
        "seed": (plan["seed"], None if plan["csv"] else DEFAULT_SEED),
        "variants": (",".join(plan["variants"]) or "none", ",".join(BY_NAME)),
        "workloads": (",".join(plan["workloads"]) or "none", ",".join(DEFAULT_WORKLOADS)),
        "engines": (",".join(plan["engines"]), ",".join(DEFAULT_ENGINES)),
        "concurrency": (plan["concurrency"], results["environment"]["cores"]),
        "repeat": (plan["repeat"], DEFAULT_REPEAT),
    }
    words = [f"--{name} {value}" for name, (value, usual) in flags.items() if value != usual]
    return f'make compare ARGS="{" ".join(words)}"' if words else "make compare"


def with_figures(page: str, block: Block, text: str) -> str:
    """The page with the text between the block's markers.

    Raises:
        UsageError: the markers are not there, each once and in order.
    """
    before, begin, rest = page.partition(block.begin)
    _, end, after = rest.partition(block.end)
    if not (begin and end) or page.count(block.begin) + page.count(block.end) != 2:
        raise UsageError(f"the markers are missing from the page: {block.begin} and {block.end}")
    return f"{before}{block.begin}\n\n{text}\n\n{block.end}{after}"


def picture_of(report: Path) -> bytes:
    """The top of the report as a PNG file.

    Raises:
        UsageError: there is no report, or no Chromium to open it.
    """
    if not report.is_file():
        raise UsageError(f"{report}: no such file; run `make compare` first")
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise UsageError("no Chromium is installed, which takes the picture of the report")
    width, height = PICTURE_SIZE
    with tempfile.TemporaryDirectory(prefix="oc-picture-") as folder:
        picture = Path(folder) / "report.png"
        done = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu",
                f"--user-data-dir={folder}/profile", f"--window-size={width},{height}",
                "--virtual-time-budget=10000",  # milliseconds for the charts to be drawn
                f"--screenshot={picture}", report.resolve().as_uri(),
            ],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if not picture.is_file():
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise UsageError(f"{browser} took no picture of {report}: {last}")
        return picture.read_bytes()


if __name__ == "__main__":
    run(app, "python -m comparisons.figures")
