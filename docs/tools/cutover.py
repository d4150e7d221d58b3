"""The tables of the pages about moving away that come from kept results.

    python -m docs.tools.cutover docs/cutover.md docs/drain.md docs/schedules.md

writes them into the pages, between their markers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from docs.tools.monitoring import filled
from docs.tools.wide import spread

KEPT = Path(__file__).resolve().parents[2] / "benchmarks"
_SHOWN = {"redis": "Redis", "postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ"}


def _kept(name: str) -> Any:
    return json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))


def _name(word: str) -> str:
    return _SHOWN.get(word, word.capitalize())


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def drill() -> str:
    """A row for each engine and kind of claims."""
    combinations: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in _kept("cutover_drill"):
        combinations.setdefault((row["engine"], row["claims"]), []).append(row)
    rows = [
        _row(
            "engine",
            "claims",
            "killed at each of the six points",
            "calls repeated",
            "never ordered",
            "begun on Celery",
            "on the engine",
            "lost",
            "done twice",
            "on both sides",
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (engine, claims), points in combinations.items():
        (killed,) = {one["killed"] for one in points}
        counts = (
            sum(one[name] for one in points)
            for name in ("repeated", "never_ordered", "on_celery", "on_engine", "lost", "twice",
                         "on_both")
        )  # fmt: skip
        cells = " | ".join(f"{one:,}" for one in (killed, *counts))
        rows.append(f"| {_name(engine)} | {_name(claims)} | {cells} |")
    return "\n".join(rows)


def load() -> str:
    """A row for each engine and kind of claims, and the percentages in order."""
    kept = _kept("cutover_load")
    steps = ", ".join(f"{one:g}" for one in kept[0]["steps"])
    rows = [
        f"The percentages, in order: {steps}.",
        "",
        _row(
            "engine",
            "claims",
            "orders",
            "keys",
            "calls repeated",
            "on Celery",
            "on the engine",
            "keys that moved back",
            "called after the rollback",
            "of these not on Celery",
            "lost, done twice, or elsewhere",
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in kept:
        names = ("orders", "keys", "repeated", "on_celery", "on_engine")
        counts = [row[name] for name in names]
        counts += [row["moved_back"] + row["astray"], row["after_rollback"], row["late"]]
        counts.append(row["lost"] + row["twice"] + row["elsewhere"])
        cells = " | ".join(f"{one:,}" for one in counts)
        rows.append(f"| {_name(row['engine'])} | {_name(row['claims'])} | {cells} |")
    return "\n".join(rows)


def _ratio(ratios: list[float]) -> str:
    """Median, least and most; the way that the others are compared with is 1."""
    return "1" if set(ratios) == {1.0} else spread(ratios)


def cost() -> str:
    """A row for each way that an order goes."""
    kept = _kept("cutover_cost")
    rows = [
        "| claims in | a call | takes, ms | ratio | CPU, ms | CPU ratio | inserts |",
        "|---|---|---|---|---|---|---|",
    ]
    seen = set()
    for row in kept["rows"]:
        to = row["to"]
        if (row["claims"], to, row["way"]) in seen:
            continue  # calls to Celery are measured beside each engine; shown is the first
        seen.add((row["claims"], to, row["way"]))
        rows.append(
            f"| {_name(row['claims'])} | {_name(to)}, {row['way']} | {row['milliseconds']:.2f} "
            f"| {_ratio(row['ratio'])} | {row['cpu_milliseconds']:.2f} "
            f"| {_ratio(row['cpu_ratio'])} "
            f"| {row['claims_per_order']:g} |"
        )
    created, machine = datetime.fromisoformat(kept["created"]), kept["environment"]
    calls = " or ".join(f"{one}" for one in sorted({row["calls"] for row in kept["rows"]}))
    told = (
        f"{created:%-d %B %Y}, {machine['cores']} cores ({machine['cpu']}), load "
        f"{kept['load']:.1f} at the end: {kept['rounds']} rounds of {calls} calls each way, in an "
        "order left to chance; medians, and ratios round by round with their min and max."
    )
    rows += ["", told]
    return "\n".join(rows)


def drained() -> str:
    """A row for each planted state."""
    kept = _kept("drain")
    rows = [
        "| broker | what is planted | drain says no because of | seconds to yes, once it is gone |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| {_name(one['broker'])} | {one['state']} | {', '.join(one['places'])} "
        f"| {one['seconds']:.1f} |"
        for one in kept
    ]
    return "\n".join(rows)


def handover() -> str:
    """A row for each engine and each place where beat keeps its entries."""
    rows = [
        _row("to", "entries in", "interval", "firings of beat", "of the other side",
             "moments that both have fired", "moments that went through", "more than once",
             "turns of the interval missing"),
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    rows += [
        f"| {_name(one['engine'])} | {one['kept_in']} | {one['every']:g} s | {one['by_beat']} "
        f"| {one['by_engine']} | {one['both']} | {sum(one['moments'].values())} | {one['twice']} "
        f"| {one['missing']} |"
        for one in _kept("handover")
    ]
    return "\n".join(rows)


TABLES: dict[str, Callable[[], str]] = {
    "drill": drill,
    "load": load,
    "cost": cost,
    "drained": drained,
    "handover": handover,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(filled(path.read_text(encoding="utf-8"), TABLES), encoding="utf-8")
        sys.stdout.write(f"{path}\n")
