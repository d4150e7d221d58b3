"""SARIF 2.1.0, for code scanning services.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from offcanvas.audit.baseline import fingerprints
from offcanvas.audit.finding import Finding, Severity
from offcanvas.audit.report import Report, said
from offcanvas.audit.rules import Rule, all_rules

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL: Final = {
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.PORTING: "note",
}


def render(report: Report) -> str:
    """One run with all rules, the findings, and the files that could not be read."""
    rules = list(all_rules().values())
    position = {rule.code: index for index, rule in enumerate(rules)}
    base = report.root if report.root.is_dir() else report.root.parent
    prints = fingerprints(report.findings, base)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "offcanvas",
                "semanticVersion": version("offcanvas"),
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"uri": base.resolve().as_uri() + "/"}},
        "results": [_result(f, position[f.code], print_) for f, print_ in prints],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {
                        "level": "warning",
                        "message": {"text": f"not read: {reason}"},
                        "locations": [_location(path, 1, 1, 1)],
                    }
                    for path, reason in report.answer.unreadable
                ]
                + [{"level": "note", "message": {"text": text}} for text in report.not_said],
            }
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    document = rule.document
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": document.summary},
        "fullDescription": {"text": document.why},
        "help": {"text": f"Bad:\n{document.bad}\n\nGood:\n{document.good}\n\n{document.why}"},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {"severity": rule.severity.label},
    }


def _result(finding: Finding, index: int, fingerprint: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVEL[finding.severity],
        "message": {"text": said(finding)},
        "locations": [_location(finding.path, finding.line, finding.column, finding.end_line)],
        "partialFingerprints": {"offcanvas/v1": fingerprint},
        "properties": {"severity": finding.severity.label},
    }
    if finding.related:
        result["relatedLocations"] = [
            {**_location(path, line, 1, line), "message": {"text": what}}
            for path, line, what in finding.related
        ]
    return result


def _location(path: str, line: int, column: int, end: int) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(path), "uriBaseId": "ROOT"},
            "region": {"startLine": line, "startColumn": column, "endLine": max(line, end)},
        }
    }
