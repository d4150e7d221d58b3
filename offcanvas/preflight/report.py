"""An answer as text or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from offcanvas.preflight.answer import Answer, Figure, Line, Verdict
from offcanvas.printable import printable


def as_text(answer: Answer) -> str:
    """Figures with their limits, then how they grow, then what to do."""
    answer = printable(answer)
    sizes = ", ".join(f"{name} = {width:,}" for name, width in answer.widths.items())
    lines = [f"{answer.target} on {answer.engine}: {answer.verdict}"]
    lines += [f"  {sizes}"] if sizes else []
    lines.append("")
    width = max(len(figure.name) for figure in answer.figures)
    for figure in answer.figures:
        lines.append(f"  {figure.name:<{width}}  {_figure(figure)}")
    if answer.lines:
        lines += ["", "Growth, and the size that still fits:"]
        lines += [f"  {_line(line, answer)}" for line in answer.lines]
    wrong = [figure for figure in answer.figures if figure.verdict is not Verdict.FITS]
    if wrong:
        lines += ["", "What to do:"]
        remedies: dict[str, list[str]] = {}
        for figure in wrong:
            remedies.setdefault(figure.remedy, []).append(figure.name)
        lines += [f"  {', '.join(names)}: {remedy}" for remedy, names in remedies.items()]
    return "\n".join(lines) + "\n"


def as_json(answer: Answer) -> str:
    """The same for programs."""
    figures = [{**asdict(f), "verdict": f.verdict} for f in answer.figures]
    raw = {
        "target": answer.target,
        "engine": answer.engine,
        "verdict": answer.verdict,
        "sizes": dict(answer.widths),
        "figures": figures,
        "growth": [asdict(line) for line in answer.lines],
    }
    return json.dumps(raw, indent=2) + "\n"


def _figure(figure: Figure) -> str:
    said = amount(figure.expected, figure.unit)
    if figure.most is not None and figure.most != figure.expected:
        said += f" (at most {amount(figure.most, figure.unit)})"
    if figure.limit is not None:
        said += f" of {amount(figure.limit, figure.unit)}"
    if figure.a_minute is not None:
        minutes = figure.expected / figure.a_minute
        said = f"{figure.a_minute:,} a minute are taken: {minutes:,.1f} minutes"
    return said if figure.verdict is Verdict.FITS else f"{said}: {figure.verdict}"


def _line(line: Line, answer: Answer) -> str:
    unit = next(f.unit for f in answer.figures if f.name == line.figure)
    sign = "-" if line.fixed < 0 else "+"
    fixed = amount(abs(line.fixed), unit)
    grows = f"{amount(line.each, unit)} for each {line.group} {sign} {fixed}"
    if abs(line.each) < _NOTHING:
        grows = f"{amount(line.fixed, unit)} whatever {line.group} is"
    of_minutes = next(f for f in answer.figures if f.name == line.figure).a_minute is not None
    fits = "is within a minute" if of_minutes else "fits"
    up_to = (
        f"{fits} at any size" if line.fits is None else f"{fits} up to {line.fits:,} {line.group}"
    )
    up_to = up_to if line.met else "another limit is met first"
    if line.figure.startswith("events, on Prefect Cloud"):
        return f"{line.figure}: {up_to}"
    return f"{line.figure}: {grows}; {up_to}"


_NOTHING = 0.001


def amount(value: float, unit: str) -> str:
    """ "1,385", "3.5", "2.1 kB"."""
    if unit == "B":
        for size, name in ((1024 * 1024, "MB"), (1024, "kB")):
            if abs(value) >= size:
                return f"{value / size:,.1f} {name}"
        return f"{value:,.0f} B"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")
