"""The documentation of a rule, for the terminal."""

import textwrap

from offcanvas.audit.config import find_rule


def explained(code: str) -> str:
    """Everything a rule's docstring says. Raises UsageError for an unknown code or name."""
    rule = find_rule(code)
    document = rule.document
    fixes = ", --fix cures it where that is certain" if rule.fixes else ""
    parts = [
        f"{rule.code} {rule.name} ({rule.severity.label}{fixes})",
        document.summary,
        "Bad:\n" + textwrap.indent(document.bad, "    "),
        "Good:\n" + textwrap.indent(document.good, "    "),
    ]
    for head, text in (
        ("Why", document.why),
        ("Prefect", document.prefect),
        ("Temporal", document.temporal),
        ("Source", document.source),
    ):
        parts.append(textwrap.fill(f"{head}: {text}", 96, break_long_words=False))
    return "\n\n".join(parts) + "\n"
