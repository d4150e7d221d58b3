"""`python -m comparisons.lab.docs > docs/faults.md`: the page, with the results that are kept.

Other files may be named, as the lab writes them or packed by gzip, the widest matrix first: each
gets a table of its own.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from comparisons.lab.profiles import DEFAULT_PROFILES, PROFILES

TEMPLATE = Path(__file__).with_name("docs.md")
# Tables of 22 November 2026, whose files were not kept; they were written by this program.
EARLIER = Path(__file__).with_name("docs_earlier.md")
RESULTS = "<!-- results -->"
_FOLDER = Path(__file__).parents[2] / "benchmarks" / "results"
# All faults on all profiles; then what ended otherwise than expected there, once more.
KEPT = (_FOLDER / "faults_alerts.json.gz", *sorted(_FOLDER.glob("faults_again_*.json.gz")))


def page(*labs: Mapping[str, Any]) -> str:
    """docs/faults.md. Each of `labs` is in the form of faults_schema.json."""
    lines: list[str] = []
    for data in labs:
        lines += [*_results(data), ""]
    lines += [*EARLIER.read_text(encoding="utf-8").splitlines(), ""]
    # What a fault is expected to do is said once, in the words of the first.
    known: dict[str, Any] = {}
    for data in labs:
        known = {fault["id"]: fault for fault in data["faults"]} | known
    lines += _reasons([fault for _, fault in sorted(known.items())])
    return TEMPLATE.read_text(encoding="utf-8").replace(RESULTS, "\n".join(lines))


def table(data: Mapping[str, Any]) -> str:
    """The results of one run of the lab alone."""
    return "\n".join(_results(data))


def _results(data: Mapping[str, Any]) -> Iterable[str]:
    created = datetime.fromisoformat(data["created"])
    repeat = "once" if data["repeat"] == 1 else f"{data['repeat']} times each"
    count = len(data["faults"])
    yield f"### {count} fault{'' if count == 1 else 's'}, {repeat}"
    yield ""
    machine = data["environment"]
    packages = machine["packages"]
    versions = [f"{name} {version}" for name, version in data["versions"].items()]
    versions += [f"{name} {packages[name]}" for name in _SHOWN if name in packages]
    yield (
        f"{created:%-d %B %Y}, {len(data['runs'])} runs in {data['seconds'] / 60:.0f} min on "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['python']}, {machine['system']}; "
        f"{', '.join(versions)}. {_together(data)}"
    )
    yield ""
    yield "```"
    yield data["command"]
    yield "```"
    yield ""
    titles = [profile["title"] for profile in data["profiles"]]
    yield f"| fault | {' | '.join(titles)} | told by an alert |"
    yield f"|---|{'---|' * len(titles)}---|"
    squares = {(each["fault"], each["profile"]): each for each in data["matrix"]}
    for fault in data["faults"]:
        cells = [
            _cell(squares[fault["id"], profile["name"]], data["runs"])
            for profile in data["profiles"]
        ]
        mine = [squares[fault["id"], profile["name"]] for profile in data["profiles"]]
        yield f"| {fault['id']} {fault['title']} | {' | '.join(cells)} | {told_by(mine)} |"
    yield ""
    for sentence in data["sentences"]:
        yield f"- {_escaped(sentence)}"


def told_by(squares: Sequence[Mapping[str, Any]]) -> str:
    """On how many of the profiles that were watched an alert fired, the first after how long."""
    watched = [square for square in squares if square.get("alerts") is not None]
    if not watched:
        return "not watched"
    after = [square["alerted"]["median"] for square in watched if square["alerts"]]
    times = f", after {min(after):.0f} to {max(after):.0f} s" if after else ""
    return f"{len(after)} of {len(watched)}{times}"


def _together(data: Mapping[str, Any]) -> str:
    parts = data.get("parts", 1)
    if parts == 1:
        return "All profiles ran at the same time."
    return f"Run in {parts} parts, one after the other, which are put together here."


_SHOWN = ("celery", "kombu", "prefect", "temporalio", "apache-airflow")


def _cell(square: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> str:
    if square["meaningless"]:
        return "does not apply"
    if not square["runs"]:
        return "not run"
    text = ", ".join(f"{count} {ending}" for ending, count in square["endings"].items())
    if square["detected"]:
        text += f"; noticed after {square['detected']['median']:.1f} s"
    times = square["completed_after_heal"]
    if times:
        text += f"; whole after {times['median']:.1f} s"
        if square["runs"] > 1:
            text += f" ({times['min']:.1f} to {times['max']:.1f})"
    if square.get("alerts") is not None:
        alerts = ", ".join(square["alerts"])
        after = square["alerted"]
        text += f"; {alerts} after {after['median']:.1f} s" if after else "; no alert"
    words = words_for_lost(runs, square["fault"], square["profile"])
    if words:
        text += f"; lost is shown as {' or '.join(words)}"
    return f"**{text}, misses the goal**" if square["missed"] else text


def words_for_lost(runs: Iterable[Mapping[str, Any]], fault: str, profile: str) -> list[str]:
    """What the engine says of runs that have lost something."""
    return sorted(
        {
            run["shown"]
            for run in runs
            if (run["fault"], run["profile"], run["ending"]) == (fault, profile, "lost")
            and run["shown"]
        }
    )


def _reasons(faults: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield "### What each fault was expected to do, and why"
    yield ""
    for fault in faults:
        yield f"- **{fault['id']} {fault['title']}.** {_escaped(fault['what'])}"
        for profile in (PROFILES[name] for name in DEFAULT_PROFILES):
            why = fault["meaningless"].get(profile.name)
            if why is not None:
                yield f"  - {profile.title}: does not apply: {_escaped(why)}."
            elif profile.name in fault["expects"]:
                said = _escaped(fault["expects"][profile.name]["why"])
                yield f"  - {profile.title}: {said}."
        yield f"  - Source: {_escaped(fault['source'])}."


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def read(file: Path) -> dict[str, Any]:
    """What the lab has written, packed or not."""
    raw = file.read_bytes()
    found: dict[str, Any] = json.loads(gzip.decompress(raw) if file.suffix == ".gz" else raw)
    return found


if __name__ == "__main__":
    files = [*map(Path, sys.argv[1:])] or [*KEPT]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        told = f"{', '.join(missing)}: no such file; name a faults.json, or several"
        sys.stderr.write(f"python -m comparisons.lab.docs: {told}\n")
        sys.exit(2)
    sys.stdout.write(page(*map(read, files)))
