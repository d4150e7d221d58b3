"""The tables of docs/monitoring.md that come from the code: metrics, alerts.

    python -m docs.tools.monitoring docs/monitoring.md

writes them into the page, between their markers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from comparisons.lab.docs import KEPT, read, told_by
from offcanvas.metrics.vocabulary import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "alerts.yml"
COST = ROOT / "benchmarks" / "results" / "metrics_cost.json"


def metrics() -> str:
    """A row for each metric."""
    rows = ["| metric | kind | labels | what it tells |", "|---|---|---|---|"]
    rows += [
        f"| `{one.shown}` | {one.kind} | {', '.join(one.labels)} | {one.says} |" for one in FAMILIES
    ]
    return "\n".join(rows)


def rules() -> list[dict[str, Any]]:
    """The alerts of deploy/alerts.yml."""
    loaded = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def runbook() -> str:
    """A row for each alert."""
    rows = ["| alert | after | why it matters | what to do |", "|---|---|---|---|"]
    for rule in rules():
        notes = rule["annotations"]
        after = rule["for"] if rule["for"] != "0s" else "at once"
        rows.append(f"| {rule['alert']} | {after} | {notes['reason']} | {notes['runbook']} |")
    return "\n".join(rows)


def cost() -> str:
    """A row for each engine that was measured."""
    kept = json.loads(COST.read_text(encoding="utf-8"))["costs"]
    rows = [
        (
            "| engine | without, s | with, s | ratio | CPU without, s | CPU with, s | ratio "
            "| fan-outs |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in kept:
        before, after = map(_spread, one["seconds"])
        used, metered = map(_spread, one["cpu_seconds"])
        rows.append(
            f"| {one['engine'].capitalize()} | {before} | {after} | {one['ratio']:.3f} "
            f"| {used} | {metered} | {one['cpu_ratio']:.3f} "
            f"| {one['rounds'] * one['fan_outs']} of {one['width']} each way |"
        )
    machine = kept[0]["environment"]
    days = sorted({f"{datetime.fromisoformat(one['created']):%-d %B %Y}" for one in kept})
    loads = [one["load"] for one in kept]
    rows += [
        "",
        (
            f"{', '.join(days)}, {machine['cores']} cores ({machine['cpu']}), "
            f"{machine['python']}: fan-outs of tasks that do nothing, with metrics and without "
            "taking turns; medians, in brackets least and greatest. The load of the machine over "
            f"the last quarter of an hour was {min(loads):.1f} to {max(loads):.1f}."
        ),
    ]
    return "\n".join(rows)


def _spread(one: Mapping[str, float]) -> str:
    return f"{one['median']:.3f} ({one['min']:.3f} to {one['max']:.3f})"


def noticed() -> str:
    """The matrix of the fault lab as far as alerts go, from the runs that were kept."""
    return "\n\n".join(_table(read(file)) for file in KEPT)


def _table(kept: Mapping[str, Any]) -> str:
    created = datetime.fromisoformat(kept["created"])
    titles = [profile["title"] for profile in kept["profiles"]]
    rows = [
        f"| fault | {' | '.join(titles)} | told by an alert |",
        f"|---|{'---|' * len(titles)}---|",
    ]
    squares = {(each["fault"], each["profile"]): each for each in kept["matrix"]}
    for fault in kept["faults"]:
        mine = [squares[fault["id"], one["name"]] for one in kept["profiles"]]
        cells = " | ".join(_noticed(square) for square in mine)
        rows.append(f"| {fault['id']} {fault['title']} | {cells} | {told_by(mine)} |")
    told = [f"- {one}" for one in kept["sentences"] if "alert" in one or " s late" in one]
    head = f"{created:%-d %B %Y}, {len(kept['runs'])} runs on {kept['environment']['cores']} cores"
    parts = f", in {kept['parts']} parts one after the other" if "parts" in kept else ""
    return "\n".join([f"{head}{parts}:", "", f"    {kept['command']}", "", *rows, "", *told])


def _noticed(square: Mapping[str, Any]) -> str:
    if square["meaningless"]:
        return "does not apply"
    if not square["runs"]:
        return "not run"
    ending = square["worst"]
    if not square["alerts"]:
        return f"{ending}; no alert"
    after = square["alerted"]["median"]
    return f"{ending}; {', '.join(square['alerts'])} after {after:.0f} s"


TABLES: dict[str, Callable[[], str]] = {
    "metrics": metrics,
    "runbook": runbook,
    "cost": cost,
    "noticed": noticed,
}


def filled(page: str, tables: Mapping[str, Callable[[], str]] = TABLES) -> str:
    """The page with its tables as they are now."""
    for name, table in tables.items():
        if f"<!-- {name} -->" not in page:
            continue
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table()}\n{end}{rest.partition(end)[2]}"
    return page


def _main(names: list[str]) -> Iterator[Path]:
    for name in names:
        path = Path(name)
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
        yield path


if __name__ == "__main__":
    for written in _main(sys.argv[1:]):
        sys.stdout.write(f"{written}\n")
