"""The reference page of all rules, written from their docstrings.

`python -m offcanvas.audit.reference > docs/audit-rules.md` writes it; a test keeps it current.
"""

import sys

from offcanvas.audit.rules import Rule, all_rules

_INTRODUCTION = (
    "Written by `python -m offcanvas.audit.reference` from the rules themselves. Levels: high "
    "loses or corrupts work, medium is a likely incident, low is hygiene, porting is not a fault "
    "but work for a port. A finding with a doubt is one level milder and says its doubt."
)
_GROUPS = {
    "CEL0": "What cannot be told",
    "CEL1": "Delivery configuration",
    "CEL2": "Publishing",
    "CEL3": "Task body",
    "CEL4": "Canvas",
    "CEL5": "Scheduling and operation",
}


def reference() -> str:
    """The page as Markdown."""
    rules = list(all_rules().values())
    lines = [
        "# Rules of `offcanvas audit`",
        "",
        _INTRODUCTION,
        "",
        "| code | rule | level | `--fix` |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [{r.code}](#{r.code.lower()}-{r.name}) | {r.name} | {r.severity.label} | "
        f"{'yes' if r.fixes else ''} |"
        for r in rules
    ]
    for prefix, title in _GROUPS.items():
        group = [r for r in rules if r.code.startswith(prefix)]
        if group:
            lines += ["", f"## {title}"]
        for rule in group:
            lines += _section(rule)
    return "\n".join(lines) + "\n"


def _section(rule: Rule) -> list[str]:
    document = rule.document
    return [
        "",
        f"### {rule.code} {rule.name}",
        "",
        f"{document.summary} Level: {rule.severity.label}.",
        "",
        "Bad:",
        "",
        "```python",
        document.bad,
        "```",
        "",
        "Good:",
        "",
        "```python",
        document.good,
        "```",
        "",
        document.why,
        "",
        f"- Prefect: {document.prefect}",
        f"- Temporal: {document.temporal}",
        f"- Source: {document.source}",
    ]


if __name__ == "__main__":
    sys.stdout.write(reference())
