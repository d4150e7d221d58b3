"""How much of each root goes where, and how it does there: from the claims."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from offcanvas.cutover.claims import FAILURE, GONE, Claim
from offcanvas.cutover.decision import CELERY
from offcanvas.cutover.guard import failed_share, p50, p95
from offcanvas.cutover.rules import Rule, Rules
from offcanvas.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

#: Seconds after which a claim that is not sent hangs.
HANGS = 60.0


@dataclass(frozen=True, slots=True)
class Side:
    """What of a root went one way.

    Attributes:
        engine: where.
        orders: claims in the time that is looked at, and older ones that have not ended.
        open: those that have not ended.
        failed: those that have failed.
        failed_share: of those that have ended.
        p50, p95: seconds from the claim to the end; None if none has ended.
        hanging: claims that are not known to be sent, for more than a minute.
        oldest_open: seconds since the oldest open one was claimed; None if there is none.
    """

    engine: str
    orders: int
    open: int
    failed: int
    failed_share: float
    p50: float | None
    p95: float | None
    hanging: int
    oldest_open: float | None


@dataclass(frozen=True, slots=True)
class Root:
    """A root and its two sides; ``stopped`` says why it was rolled back, if it was."""

    root: str
    to: str
    runs: str
    percent: float
    claimed: bool
    sides: tuple[Side, ...]
    versions: tuple[str, ...]
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """All roots at one moment."""

    version: str
    within: float
    at: float
    roots: tuple[Root, ...]


def status(rules: Rules, claims: Sequence[Claim], now: float, within: float) -> Status:
    """The status, from claims of the last ``within`` seconds and all that are open."""
    return Status(
        rules.version,
        within,
        now,
        tuple(_root(rule, [one for one in claims if one.root == rule.root], now)
              for rule in rules.roots.values()),
    )  # fmt: skip


def _root(rule: Rule, claims: Sequence[Claim], now: float) -> Root:
    engines = sorted({CELERY, rule.to, *(one.engine for one in claims)}, key=lambda e: e != CELERY)
    sides = tuple(_side(name, [c for c in claims if c.engine == name], now) for name in engines)
    versions = tuple(dict.fromkeys(one.version for one in reversed(claims)))
    return Root(
        rule.root, rule.to, rule.runs, rule.percent, not rule.is_settled(now), sides, versions,
        rule.stopped,
    )  # fmt: skip


def _side(engine: str, claims: Sequence[Claim], now: float) -> Side:
    ended = [one for one in claims if one.ended is not None]
    waiting = [one for one in claims if one.ended is None]
    hanging = [one for one in waiting if one.sent is None and now - one.made > HANGS]
    return Side(
        engine,
        len(claims),
        len(waiting),
        sum(one.state in {FAILURE, GONE} for one in ended),
        failed_share(ended),
        p50(ended),
        p95(ended),
        len(hanging),
        max((now - one.made for one in waiting), default=None),
    )


def as_json(found: Status) -> str:
    """One JSON object."""
    return json.dumps(asdict(found), indent=2)


_HEADS = ("root", "percent", "on", "orders", "open", "failed", "p50", "p95", "hanging")


def _rows(found: Status) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in found.roots:
        for number, side in enumerate(one.sides):
            name = one.root if number == 0 else ""
            share = f"{one.percent:g}" if number == 0 else ""
            if number == 0 and not one.claimed:
                share += "*"
            rows.append(
                (
                    name,
                    share,
                    side.engine,
                    f"{side.orders:,}",
                    f"{side.open:,}",
                    f"{side.failed:,} ({side.failed_share:.0%})",
                    _seconds(side.p50),
                    _seconds(side.p95),
                    f"{side.hanging:,}",
                )
            )
    return rows


def as_table(found: Status) -> Table:
    """A table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    found = printable(found)
    notes = "\n".join(_notes(found))
    table = Table(
        title=Text(_title(found)), title_justify="left", box=None, pad_edge=False,
        caption=Text(notes) if notes else None, caption_justify="left",
    )  # fmt: skip
    for number, head in enumerate(_HEADS):
        justify: Any = "left" if number < 3 else "right"  # names, then numbers
        # A narrow terminal breaks names, not numbers.
        table.add_column(
            head, justify=justify, no_wrap=number > 1, overflow="fold", min_width=(12, 7)[number]
            if number < 2 else None,
        )  # fmt: skip
    for row in _rows(found):
        table.add_row(*map(Text, row))  # as text, without rich's markup
    return table


def as_html(found: Status) -> str:
    """A page of its own, without anything from elsewhere."""
    found = printable(found)
    heads = "".join(f"<th>{escape(head)}</th>" for head in _HEADS)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(found)
    )
    notes = "\n".join(f"<p>{escape(one)}</p>" for one in _notes(found))
    title = escape(_title(found))
    return _PAGE.format(title=title, heads=heads, rows=rows, notes=notes)


def _notes(found: Status) -> list[str]:
    notes = [f"{one.root} was stopped: {one.stopped}" for one in found.roots if one.stopped]
    if not all(one.claimed for one in found.roots):
        notes.append("* settled: its orders are not claimed any more, and not counted")
    return notes


def _title(found: Status) -> str:
    at = datetime.fromtimestamp(found.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"cut-over at {at}, the last {found.within / 3600:g} h, rules {found.version}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ padding: .4rem .6rem; border-bottom: 1px solid #8884; text-align: right }}
th:nth-child(-n+3), td:nth-child(-n+3) {{ text-align: left }}
@media (prefers-color-scheme: dark) {{ body {{ background: #16181d; color: #e6e6e6 }} }}
</style></head><body>
<h1>Cut-over</h1><p>{title}</p>
<table><thead><tr>{heads}</tr></thead><tbody>
{rows}
</tbody></table>
{notes}</body></html>
"""
