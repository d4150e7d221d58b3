"""`python -m comparisons.lab.docs faults.json > docs/faults.md`: the page, with the results.

Several files may be given, the widest matrix first: each gets a table of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("docs.md")
RESULTS = "<!-- results -->"


def page(*labs: Mapping[str, Any]) -> str:
    """docs/faults.md. Each of `labs` is in the form of faults_schema.json."""
    lines: list[str] = []
    for data in labs:
        lines += [*_results(data), ""]
    # What a fault is expected to do is said once, in the words of the first.
    known: dict[str, Any] = {}
    for data in labs:
        known = {fault["id"]: fault for fault in data["faults"]} | known
    lines += _reasons(labs[0]["profiles"], [fault for _, fault in sorted(known.items())])
    return TEMPLATE.read_text(encoding="utf-8").replace(RESULTS, "\n".join(lines))


def _results(data: Mapping[str, Any]) -> Iterable[str]:
    created = datetime.fromisoformat(data["created"])
    repeat = "once" if data["repeat"] == 1 else f"{data['repeat']} times each"
    yield f"### {len(data['faults'])} faults, {repeat}"
    yield ""
    machine = data["environment"]
    packages = machine["packages"]
    versions = [f"{name} {version}" for name, version in data["versions"].items()]
    versions += [f"{name} {packages[name]}" for name in _SHOWN if name in packages]
    yield (
        f"{created:%-d %B %Y}, {len(data['runs'])} runs in {data['seconds'] / 60:.0f} min on "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['python']}, {machine['system']}; "
        f"{', '.join(versions)}. All profiles ran at the same time."
    )
    yield ""
    yield "```"
    yield data["command"]
    yield "```"
    yield ""
    titles = [profile["title"] for profile in data["profiles"]]
    yield f"| fault | {' | '.join(titles)} |"
    yield f"|---|{'---|' * len(titles)}"
    squares = {(each["fault"], each["profile"]): each for each in data["matrix"]}
    for fault in data["faults"]:
        cells = [
            _cell(squares[fault["id"], profile["name"]], data["runs"])
            for profile in data["profiles"]
        ]
        yield f"| {fault['id']} {fault['title']} | {' | '.join(cells)} |"
    yield ""
    for sentence in data["sentences"]:
        yield f"- {_escaped(sentence)}"


_SHOWN = ("celery", "kombu", "prefect", "temporalio")


def _cell(square: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> str:
    if square["meaningless"]:
        return "does not apply"
    text = ", ".join(f"{count} {ending}" for ending, count in square["endings"].items())
    if square["detected"]:
        text += f"; noticed after {square['detected']['median']:.1f} s"
    times = square["completed_after_heal"]
    if times:
        text += f"; whole after {times['median']:.1f} s"
        if square["runs"] > 1:
            text += f" ({times['min']:.1f} to {times['max']:.1f})"
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


def _reasons(
    profiles: Sequence[Mapping[str, Any]], faults: Sequence[Mapping[str, Any]]
) -> Iterable[str]:
    yield "### What each fault was expected to do, and why"
    yield ""
    for fault in faults:
        yield f"- **{fault['id']} {fault['title']}.** {_escaped(fault['what'])}"
        for profile in profiles:
            why = fault["meaningless"].get(profile["name"])
            if why is not None:
                yield f"  - {profile['title']}: does not apply: {_escaped(why)}."
            elif profile["name"] in fault["expects"]:
                said = _escaped(fault["expects"][profile["name"]]["why"])
                yield f"  - {profile['title']}: {said}."
        yield f"  - Source: {_escaped(fault['source'])}."


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1:]]
    missing = [str(file) for file in files if not file.is_file()]
    if missing or not files:
        told = f"{', '.join(missing) or 'no file named'}: name a faults.json, or several"
        sys.stderr.write(f"python -m comparisons.lab.docs: {told}\n")
        sys.exit(2)
    sys.stdout.write(page(*(json.loads(file.read_text(encoding="utf-8")) for file in files)))
