"""What `offcanvas port` makes of the canvases of eight public projects, at pinned commits.

    python -m benchmarks.ports FOLDER                 # clones what is missing into FOLDER
    python -m benchmarks.ports FOLDER --kept          # writes the result and the page anew

Every function that builds or sends canvases is read by itself, nothing is imported, and tests and
migrations are left out. The result is kept in `benchmarks/ports.json`; the table of `docs/port.md`
is made of it.
"""

import json
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from offcanvas.port.codes import CODES, Verdict
from offcanvas.port.survey import Surveyed, survey

KEPT: Final = Path(__file__).with_name("ports.json")
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "port.md"
BEGIN: Final = "<!-- made by benchmarks.ports: begin -->\n"
END: Final = "<!-- made by benchmarks.ports: end -->\n"
PROJECTS: Final = {
    "paperless-ngx/paperless-ngx": "b0e0e8a35373a5d9d588a507cb63c79e50a23403",
    "mitodl/ocw-studio": "96cba53a64bfdc5f8b7d52de81e7b5c4b39859bd",
    "freelawproject/courtlistener": "26a474e60bd2131e0d05918eeb5f65c218cd6ecf",
    "google/timesketch": "45b339bb87c7334effc1e0327c285b4ec19d96d9",
    "LLNL/merlin": "677e3830dea1fc1456fd645e6ed05e388809e554",
    "release-engineering/iib": "ec1166f287e0533821d0c2a9e2dc8e4f748e487f",
    "kobotoolbox/kpi": "2e5efb0172e64fc8c8de222039f2aa02c6d6be8e",
    "readthedocs/readthedocs.org": "7937196123747181054d4c2361ec81f93c37f8f2",
}
_BAD: Final = {Verdict.TODO, Verdict.REFUSED}


def main(
    folder: Annotated[Path, typer.Argument(help="Where the projects are, or will be cloned to.")],
    kept: Annotated[
        bool, typer.Option("--kept", help="Keep the result and write the page.")
    ] = False,
) -> None:
    """Port every canvas of the eight projects, and print the table."""
    found = {}
    for project, commit in PROJECTS.items():
        root = folder / project.partition("/")[2]
        if not root.is_dir():
            _clone(project, commit, root)
        begin = time.perf_counter()
        surveyed = [one for one in survey(root) if not _is_test(one.path)]
        seconds = time.perf_counter() - begin
        today = datetime.now(tz=UTC).date().isoformat()
        found[project] = {
            "commit": commit,
            "date": today,
            "canvases": [_told(one) for one in surveyed],
        }
        typer.echo(f"{project}: {len(surveyed)} in {seconds:.0f} s", err=True)
    typer.echo(table(found))
    if kept:
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(PAGE.read_text(), found))


def _clone(project: str, commit: str, root: Path) -> None:
    root.mkdir(parents=True)
    for words in (
        ["init", "--quiet"],
        ["fetch", "--quiet", "--depth=1", f"https://github.com/{project}", commit],
        ["checkout", "--quiet", "FETCH_HEAD"],
    ):
        subprocess.run(["git", "-C", str(root), *words], check=True)


def _is_test(path: str) -> bool:
    parts = path.split("/")
    return any(p.startswith("test") or p in {"conftest.py", "migrations"} for p in parts)


def _told(one: Surveyed) -> dict[str, Any]:
    return {
        "path": one.path,
        "line": one.line,
        "name": one.name,
        "workflows": one.canvases,
        "verdict": one.verdict.value,
        "decisions": one.count(Verdict.DECIDE),
        "open": [
            {"code": note.code, "why": " ".join(note.message.split())[:160]}
            for note in one.notes
            if CODES[note.code].verdict in _BAD
        ],
    }


def table(found: dict[str, Any]) -> str:
    """The canvases of each project by what becomes of them: that of their function."""
    lines = [
        "| project | functions | canvases | exact | with decisions | with todos | refused |",
        "|---|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for project, told in found.items():
        counts: Counter[str] = Counter()
        for one in told["canvases"]:
            counts["functions"] += 1
            counts["canvases"] += one["workflows"]
            counts[one["verdict"]] += one["workflows"]
        total += counts
        name = f"[{project}](https://github.com/{project}/tree/{told['commit']})"
        lines.append(_row(name, counts))
    lines.append(_row("all", total))
    return "\n".join(lines)


def _row(name: str, counts: Counter[str]) -> str:
    words = ("functions", "canvases", "exact", "decide", "todo", "refused")
    return f"| {name} | {' | '.join(str(counts[word]) for word in words)} |"


def reasons(found: dict[str, Any]) -> str:
    """What keeps functions from being ported whole, with how many of them it concerns."""
    codes: Counter[str] = Counter()
    for told in found.values():
        for one in told["canvases"]:
            codes.update({open_["code"] for open_ in one["open"]})
    lines = ["| code | functions | |", "|---|---|---|"]
    lines += [f"| {code} | {count} | {CODES[code].title} |" for code, count in codes.most_common()]
    return "\n".join(lines)


def left(found: dict[str, Any]) -> str:
    """Every function that is not ported whole, with its place and the reasons."""
    lines = ["| function | at | |", "|---|---|---|"]
    for project, told in found.items():
        for one in told["canvases"]:
            if one["open"]:
                place = f"{project.partition('/')[2]}: {one['path']}:{one['line']}"
                codes = ", ".join(dict.fromkeys(open_["code"] for open_ in one["open"]))
                lines.append(f"| `{one['name']}` | {place} | {one['verdict']}: {codes} |")
    return "\n".join(lines)


def page(text: str, found: dict[str, Any]) -> str:
    """The page with the tables of this result."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    every = [one for told in found.values() for one in told["canvases"]]
    whole = [one for one in every if one["verdict"] in {"exact", "decide"}]
    canvases, done = (sum(one["workflows"] for one in these) for these in (every, whole))
    # Arguments that do not fit: Celery fails on them as well.
    lost = [one for one in every if {o["code"] for o in one["open"]} == {"PORT303"}]
    sendable = canvases - sum(one["workflows"] for one in lost)
    dates = {told["date"] for told in found.values()}
    said = (
        f"{done} of {canvases} canvases ({done / canvases:.0%}), in {len(whole)} of {len(every)} "
        f"functions, are ported with nothing left to write ({', '.join(sorted(dates))}). "
        f"{canvases - sendable} of the {canvases} fail on Celery too, because arguments do not fit "
        f"(PORT303); of those that Celery can send it is {done / sendable:.0%}. What is "
        "left to write raises at its line, and these are the reasons:"
    )
    made = f"\n{table(found)}\n\n{said}\n\n{reasons(found)}\n\n{left(found)}\n\n"
    return f"{before}{BEGIN}{made}{END}{after}"


if __name__ == "__main__":
    typer.run(main)
