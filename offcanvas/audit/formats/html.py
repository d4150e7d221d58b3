"""The migration report as one HTML file that needs no network: styles and drawings inside."""

import base64
from collections import Counter
from html import escape
from typing import Final

from offcanvas.audit.drawing import outline_tree, picture, short
from offcanvas.audit.finding import Finding, Severity
from offcanvas.audit.inventory import CanvasPlace
from offcanvas.audit.migration import THRESHOLDS, Advice, Effort, advise
from offcanvas.audit.report import Report, said
from offcanvas.audit.rules import all_rules
from offcanvas.audit.verdict import verdicts
from offcanvas.printable import plural

_STYLE: Final = """
:root { color-scheme: light dark; --page: #ffffff; --link: #175cd3; --ink: #1f2933;
  --soft: #52606d; --line: #d9e2ec; --high: #b42318; --medium: #b54708;
  --low: #3e4c59; --porting: #175cd3; }
@media (prefers-color-scheme: dark) { :root { --page: #14191f; --link: #84b6ff; --ink: #e4e7eb;
  --soft: #9fb3c8; --line: #3a4753; --high: #ff8a80; --medium: #ffb74d; --low: #cbd2d9;
  --porting: #84b6ff; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem } h2 { margin-top: 2.4rem; border-bottom: 1px solid var(--line) }
h3 { margin: 1.6rem 0 .3rem; font-size: 1rem }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } th { text-align: left; color: var(--soft) }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0;
  vertical-align: top }
td.number, th.number { text-align: right }
.counts { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none }
.counts li { border: 1px solid var(--line); border-radius: 6px; padding: .5rem 1rem }
.counts b { display: block; font-size: 1.5rem }
.level { font-weight: 600; white-space: nowrap } .high { color: var(--high) }
.medium { color: var(--medium) } .low { color: var(--low) } .porting { color: var(--porting) }
a { color: var(--link) } h3 span { font-weight: 400; color: var(--soft) }
/* The drawings have colours of their own, made for white. */
.drawing { overflow-x: auto; background: #ffffff; margin-top: .6rem;
  border: 1px solid var(--line); border-radius: 6px }
td.where { min-width: 16rem } dt { font-weight: 600; margin-top: .6rem } dd { margin: 0 }
p, td:last-child { overflow-wrap: anywhere }
@media (max-width: 44rem) {
  .findings, .findings tbody, .findings tr { display: block }
  .findings th { display: none } .findings tr { border-bottom: 1px solid var(--line) }
  .findings td { display: inline-block; border: 0; padding: .2rem .6rem 0 0; min-width: 0 }
  .findings td:last-child { display: block; padding-bottom: .4rem } }
.soft { color: var(--soft) } nav a { margin-right: 1rem }
"""


def render(report: Report) -> str:
    """The whole page."""
    move = advise(report.answer, report.findings)
    name = escape(report.root.name)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>Celery audit of {name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head><body>\n"
        f"<h1>Celery audit of {name}</h1>\n"
        '<nav><a href="#advice">Advice</a><a href="#canvases">Canvases</a>'
        '<a href="#findings">Findings</a><a href="#inventory">Inventory</a></nav>\n'
        f"{_counts(report)}\n{_advice(move)}\n{_hot_spots(move)}\n{_ported(report)}\n{_canvases(move)}\n"
        f"{_findings(report)}\n{_inventory(report)}\n</body></html>\n"
    )


def _counts(report: Report) -> str:
    answer = report.answer
    counts = Counter(f.severity for f in report.findings)
    items = [
        (answer.lines, "lines"),
        (len(answer.tasks), "tasks"),
        (len(answer.canvases), "canvases"),
        (len(answer.beat), "beat entries"),
        *((counts[s], f"{s.label} findings") for s in reversed(Severity)),
        (len(answer.unreadable), "files not read"),
    ]
    cells = "".join(f"<li><b>{n:,}</b>{escape(word)}</li>" for n, word in items if n)
    return f'<ul class="counts">{cells}</ul>'


def _advice(move: Advice) -> str:
    stay = "".join(f"<p>{escape(line)}</p>" for line in move.stay)
    steps = "".join(
        f"<li><p><b>{escape(s.title)}</b>: {escape(s.why)}.</p>"
        f"<details><summary>{plural(len(s.members), 'item')}</summary><ul>"
        + "".join(f"<li><code>{escape(m)}</code></li>" for m in s.members)
        + "</ul></details></li>"
        for s in move.steps
    )
    return (
        f'<h2 id="advice">Where to stay on Celery</h2>{stay}'
        f"<h2>In which order to move</h2><ol>{steps}</ol>"
    )


def _hot_spots(move: Advice) -> str:
    if not move.hot_spots:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(h.path)}</code></td><td class=number>{h.heat}</td>"
        f"<td class=number>{h.findings}</td><td class=number>{h.canvases}</td></tr>"
        for h in move.hot_spots
    )
    return (
        "<h2>Hot spots</h2><table><tr><th>file<th class=number>heat<th class=number>findings"
        f"<th class=number>canvases</tr>{rows}</table>"
    )


def _canvases(move: Advice) -> str:
    parts = [
        f'<h2 id="canvases">Canvases</h2><p class="soft">Effort. {escape(THRESHOLDS)}</p>'
        if move.efforts
        else '<h2 id="canvases">Canvases</h2><p>None was found.</p>'
    ]
    parts += [_canvas(place, effort) for place, effort in move.efforts]
    return "\n".join(parts)


def _ported(report: Report) -> str:
    """Whether each canvas can be ported, by the code that ports it."""
    if not report.ported:
        return ""
    told = Counter(one.verdict for one in report.ported)
    without = len(report.ported) - told["todo"] - told["refused"]
    rows = "".join(
        f"<tr><td><code>{escape(one.path)}:{one.line}</code><td><code>{escape(one.name)}</code>"
        f"<td><b>{escape(_WORDS[one.verdict])}</b><td class=number>{one.decisions}"
        f"<td class=number>{one.todos}<td>{escape(one.why)}</tr>"
        for one in report.ported
    )
    return (
        '<h2 id="port">What a port would take</h2>'
        f"<p>{without} of {plural(len(report.ported), 'function')} that build or send canvases can "
        "be ported by <code>offcanvas port</code> with nothing left to write.</p>"
        "<table><tr><th>where<th>function<th>a port<th class=number>decisions"
        f"<th class=number>to write<th>because</tr>{rows}</table>"
    )


_WORDS: Final = {
    "exact": "exact",
    "decide": "works, with decisions",
    "todo": "has parts to be written",
    "refused": "refused",
}


def _canvas(place: CanvasPlace, effort: Effort) -> str:
    drawing = base64.b64encode(picture(place.canvas).encode()).decode()
    where = f" <span>in</span> <code>{escape(place.function)}</code>" if place.function else ""
    said_by = verdicts(place)
    rows = "".join(
        f"<tr><td>{escape(engine)}</td><td><b>{escape(said_by[engine].word)}</b></td>"
        f"<td>{escape(said_by[engine].why)}</td></tr>"
        for engine in said_by
    )
    table = f"<table><tr><th>engine<th>verdict<th>because</tr>{rows}</table>" if rows else ""
    return (
        f"<h3><code>{escape(place.path)}:{place.line}</code>{where}</h3>"
        f"<p>Effort: <b>{effort.size}</b> ({escape(effort.why)})</p>{table}"
        f'<div class="drawing"><img alt="{escape(outline_tree(place.canvas), quote=True)}" '
        f'src="data:image/svg+xml;base64,{drawing}"></div>'
    )


def _findings(report: Report) -> str:
    if not report.findings:
        return '<h2 id="findings">Findings</h2><p>None.</p>'
    ordered = sorted(report.findings, key=lambda f: (-f.severity, f.code, f.path, f.line))
    return (
        '<h2 id="findings">Findings</h2><table class=findings>'
        "<tr><th>level<th>rule<th>where<th>what</tr>"
        + "".join(_finding(f) for f in ordered)
        + f"</table>{_meanings(report)}"
    )


def _meanings(report: Report) -> str:
    """Why each rule that found something is one, for readers who do not have the tool at hand."""
    rules = [all_rules()[code] for code in sorted({f.code for f in report.findings})]
    return (
        "<h3>What these rules are about</h3><dl>"
        + "".join(
            f'<dt id="{r.code}">{r.code} {escape(r.name)}</dt><dd>{escape(r.document.summary)} '
            f"{escape(r.document.why)}</dd>"
            for r in rules
        )
        + "</dl>"
    )


def _finding(finding: Finding) -> str:
    rule = all_rules()[finding.code]
    return (
        f'<tr><td class="level {finding.severity.label}">{finding.severity.label}</td>'
        f'<td><a href="#{rule.code}" title="{escape(rule.name, quote=True)}">{rule.code}</a></td>'
        f'<td class="where"><code>{escape(finding.path)}:{finding.line}</code></td>'
        f"<td>{escape(said(finding))}</td></tr>"
    )


def _inventory(report: Report) -> str:
    answer = report.answer
    tasks = "".join(
        f'<tr><td><code title="{escape(t.name, quote=True)}">{escape(short(t.name))}</code></td>'
        f"<td><code>{escape(t.path)}:{t.line}</code></td><td>{t.kind}</td>"
        f"<td class=number>{answer.callers[t.name]}</td></tr>"
        for t in answer.tasks
    )
    beat = "".join(
        f"<tr><td>{escape(e.key)}</td><td><code>{escape(e.task or '?')}</code></td>"
        f"<td><code>{escape(e.path)}:{e.line}</code></td></tr>"
        for e in answer.beat
    )
    missing = "".join(
        f"<li><code>{escape(path)}</code>: {escape(reason)}</li>"
        for path, reason in answer.unreadable
    )
    not_said = "".join(f"<li>{escape(text)}</li>" for text in report.not_said)
    return (
        '<h2 id="inventory">Inventory</h2><h3>Tasks</h3><table><tr><th>task<th>where<th>form'
        f"<th class=number>call sites</tr>{tasks}</table>"
        + (
            f"<h3>Beat entries</h3><table><tr><th>entry<th>task<th>where</tr>{beat}</table>"
            if beat
            else ""
        )
        + (f"<h3>Files not read</h3><ul>{missing}</ul>" if missing else "")
        + (f"<h3>What the findings do not tell</h3><ul>{not_said}</ul>" if not_said else "")
    )
