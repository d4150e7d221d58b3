'''The rules. Every module of this package that defines one is found by scanning the package.

How to write a rule
===================
1. One file, named after the smell in snake_case: `exec_option_in_delay.py` is the rule
   "exec-option-in-delay". About 80 lines.
2. Its docstring is the documentation. Each part is required and a test checks them:

       """Execution option handed to .delay(), which passes it to the task.   <- one-line summary

       Bad:
           from celery import shared_task
           ...
       Good:
           ...
       Why: one paragraph.
       Prefect: what Prefect 3 does about it.
       Temporal: what Temporal does about it.
       Source: a page of the documentation or an issue.
       """

   Bad and Good are whole programs: a test audits them and demands that the rule speaks about Bad
   and is silent about Good. Lines `# file: name.py` split a snippet into several files; without
   one it is `tasks.py`. `# file: tasks.py @ before` belongs to `project.before`.
3. One function, decorated:

       @module_rule("CEL206", Severity.HIGH)
       def check(module: Module) -> Iterator[Remark]:
           for send in module.sends:
               if send.how == "delay" and ...:
                   yield module.remark(send.node, "what is wrong, and what to write instead")

   or `@project_rule(...)` with `def check(project: Project)` for what concerns no single file
   (settings, beat entries, the absence of something).
4. Doubt is said, not hidden: `module.remark(node, message, doubt="the wrapper may defer it")`
   prints the doubt and lowers the severity by one step; `severity=Severity.LOW` is for a part of
   the rule that weighs less. When nothing speaks for a fault, be silent.
5. A certain and local cure: pass `edits=(module.replace(node, "new text"),)`; `--fix` applies it.
6. Tests: `tests/audit/rules/test_<smell>.py`, with a positive, a tricky negative, and more.
   `from tests.audit.helpers import audit` and `audit("CEL206", source)` give the findings.
7. `python -m offcanvas.audit.reference > docs/audit-rules.md` writes the reference page anew; a
   test compares. A merge conflict in that page is settled by writing it again.

What to ask (all names are resolved through imports, aliases and re-exports, never by text)
    module.name(node)        canonical name: "celery.Task.delay", "django.db.transaction.atomic",
                             "celery.result.AsyncResult.get", "proj.utils.helper", "builtins.open"
    module.names(node)       all that it may be (`f = group if p else chain`)
    module.instance(node)    class of an object: "celery.Task", "celery.Signature", ...
    module.task(node)        the Task behind `add` in `add.delay()`
    module.sends             call sites with task, args, kwargs and options resolved (sends.Send)
    module.canvases          outermost canvases (outline.Outline: kind, parts, body, task, ...)
    module.outline(node)     the canvas that one expression builds
    module.tasks             functions of this file that are tasks (Function.node, .task, .params)
    module.task_around(node) the task whose body a node is in
    module.function(node)    the function around a node (.params, .task, .outer)
    module.callee(call)      (module, function) of the project that a call runs: one call deep
    module.walk(ast.With)    nodes of the file; module.inside(node, ast.Call) below a node
    module.around(node)      nodes around, within the function; module.ancestors(node) all of them
    module.loop_around(node) the loop or comprehension around a node
    module.value(node)       a Value with constants followed; module.literal(node) a plain literal
    module.text(node)        short source for messages
    project.tasks            all Tasks: name, params, options, bound, kind, path, line
    project.settings         .literal("task_acks_late"), .is_on(...), .all(...), .broker,
                             .of_task(task, "acks_late") (the option, else the setting)
    project.stops            workers in files of process managers, with their grace (deploy.Stop)
    project.beat             beat entries with their task resolved
    project.before           the project at the git ref of --against, or None
    project.mentions("celery.signals.task_failure")   whether any file imports it
'''

import importlib
import pkgutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from offcanvas.audit.finding import Finding, Remark, Severity
from offcanvas.audit.module import Module, modules
from offcanvas.audit.project import Project

PARTS: Final = ("Bad", "Good", "Why", "Prefect", "Temporal", "Source")
"""What a rule's docstring has to say after its summary line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A rule's docstring in its parts."""

    summary: str
    bad: str
    good: str
    why: str
    prefect: str
    temporal: str
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `name` is the smell, "exec-option-in-delay"."""

    code: str
    name: str
    severity: Severity
    scope: Literal["module", "project"]
    check: Callable[..., Iterable[Remark]]
    doc: str
    fixes: bool = False
    whole: Callable[..., Iterable[Remark]] | None = None
    """Of a rule that looks at files: what it says, once, about the project."""

    @property
    def document(self) -> Document:
        """The docstring in its parts. Raises ValueError for a part that is missing."""
        return parse_document(self.doc)

    def in_module(self, module: Module) -> Iterator[Finding]:
        """What it finds in one file; nothing for a rule about the whole project."""
        if self.scope == "module":
            yield from map(self.finding, self.check(module))

    def in_project(self, project: Project) -> Iterator[Finding]:
        """What it finds in the project as a whole."""
        look = self.check if self.scope == "project" else self.whole
        if look is not None:
            yield from map(self.finding, look(project))

    def finding(self, remark: Remark) -> Finding:
        """The finding that a remark of this rule is. With doubt its severity is one step milder."""
        severity = self.severity if remark.severity is None else remark.severity
        return Finding(
            path=remark.path,
            line=remark.line,
            column=remark.column,
            code=self.code,
            severity=severity.lower if remark.doubt else severity,
            message=remark.message,
            doubt=remark.doubt,
            end_line=remark.end_line or remark.line,
            related=remark.related,
            edits=remark.edits,
            imports=remark.imports,
        )


def check_all(project: Project, rules: Iterable[Rule]) -> list[Finding]:
    """What these rules find in a project, by file and line, in this process."""
    chosen = [*rules]
    found = {f for rule in chosen for f in rule.in_project(project)}
    for module in modules(project):
        found.update(f for rule in chosen for f in rule.in_module(module))
    return sorted(found)


def module_rule(
    code: str,
    severity: Severity,
    *,
    fixes: bool = False,
    whole: Callable[[Project], Iterable[Remark]] | None = None,
) -> Callable[[Callable[[Module], Iterable[Remark]]], Rule]:
    """Make a rule of a function that looks at one file at a time, and perhaps at the `whole`."""

    def make(check: Callable[[Module], Iterable[Remark]]) -> Rule:
        return _made(code, severity, "module", check, fixes, whole)

    return make


def project_rule(
    code: str, severity: Severity, *, fixes: bool = False
) -> Callable[[Callable[[Project], Iterable[Remark]]], Rule]:
    """Make a rule of a function that looks at the whole project once."""

    def make(check: Callable[[Project], Iterable[Remark]]) -> Rule:
        return _made(code, severity, "project", check, fixes)

    return make


def _made(
    code: str,
    severity: Severity,
    scope: Literal["module", "project"],
    check: Callable[..., Iterable[Remark]],
    fixes: bool,
    whole: Callable[..., Iterable[Remark]] | None = None,
) -> Rule:
    name = check.__module__.rpartition(".")[2].replace("_", "-")
    doc = importlib.import_module(check.__module__).__doc__ or ""
    return Rule(code, name, severity, scope, check, doc, fixes, whole)


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule of this package by code. Raises ValueError when two share a code."""
    rules: dict[str, Rule] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith("_"):
            continue  # helpers shared by several rules
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Rule):
                if value.code in rules:
                    raise ValueError(f"two rules are called {value.code}")
                rules[value.code] = value
    return dict(sorted(rules.items()))


def parse_document(doc: str) -> Document:
    """The parts of a rule's docstring. Raises ValueError when one is missing or given twice."""
    summary, _, rest = doc.strip().partition("\n")
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in rest.splitlines():
        head, colon, tail = line.partition(":")
        if colon and head in PARTS:
            if head in parts:
                raise ValueError(f"{head!r} is given twice")
            current = parts.setdefault(head, [])
            if tail.strip():
                current.append(tail.strip())
        else:
            current.append(line)
    texts = {head: textwrap.dedent("\n".join(lines)).strip("\n") for head, lines in parts.items()}
    for part in PARTS:
        if not texts.get(part, "").strip():
            raise ValueError(f"the docstring says nothing about {part!r}")
    prose = {part: " ".join(texts[part].split()) for part in PARTS[2:]}
    return Document(
        summary=summary.strip(),
        bad=texts["Bad"],
        good=texts["Good"],
        why=prose["Why"],
        prefect=prose["Prefect"],
        temporal=prose["Temporal"],
        source=prose["Source"],
    )


def snippet_files(snippet: str) -> dict[str, str]:
    """The files of a Bad or Good snippet: split at `# file: name.py`, else one tasks.py."""
    files: dict[str, str] = {}
    name, lines = "tasks.py", list[str]()
    for line in snippet.splitlines():
        if line.startswith("# file: "):
            if any(text.strip() for text in lines):
                files[name] = "\n".join(lines) + "\n"
            name, lines = line.removeprefix("# file: ").strip(), []
        else:
            lines.append(line)
    files[name] = "\n".join(lines) + "\n"
    return files


def docs() -> Iterator[tuple[Rule, Document]]:
    """Every rule with its documentation, by code."""
    for rule in all_rules().values():
        yield rule, rule.document
