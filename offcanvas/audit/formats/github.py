"""Workflow commands of GitHub Actions, which show findings beside the lines of a pull request.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from typing import Final

from offcanvas.audit.finding import Severity
from offcanvas.audit.report import Report, said

_LEVEL: Final = {
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.PORTING: "notice",
}


def render(report: Report) -> str:
    """One command for each finding and each file that could not be read."""
    lines = [
        f"::{_LEVEL[f.severity]} file={_property(f.path)},line={f.line},endLine={f.end_line},"
        f"col={f.column},title={f.code}::{_data(said(f))}"
        for f in report.findings
    ]
    lines += [
        f"::warning file={_property(path)}::{_data(f'not read: {reason}')}"
        for path, reason in report.answer.unreadable
    ]
    lines += [f"::notice title=offcanvas::{_data(said)}" for said in report.not_said]
    return "".join(f"{line}\n" for line in lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
