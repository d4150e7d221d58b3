"""Audit a few lines: `audit("CEL206", source)`."""

from collections.abc import Mapping
from textwrap import dedent

from offcanvas.audit.finding import Finding
from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.rules import all_rules, check_all


def project(files: str | Mapping[str, str]) -> Project:
    """A project of one text (tasks.py) or of several files."""
    sources = {"tasks.py": files} if isinstance(files, str) else files
    return Project.from_sources({path: dedent(text) for path, text in sources.items()})


def module(source: str) -> Module:
    """The only file of a project."""
    opened = Module.opened(project(source), "tasks.py")
    assert opened is not None
    return opened


def audit(code: str, files: str | Mapping[str, str]) -> list[Finding]:
    """What one rule finds in a text (tasks.py) or in several files."""
    return check_all(project(files), [all_rules()[code]])


def lines(findings: list[Finding]) -> list[int]:
    """The lines of findings."""
    return [finding.line for finding in findings]
