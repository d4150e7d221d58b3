"""A project as the rules see it: its index, tasks, settings, beat entries, and files to open."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from offcanvas.audit import facts as facts_of
from offcanvas.audit.beat import BeatEntry, find_beat_entries
from offcanvas.audit.deploy import Stop, is_deploy_file, stops
from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.finding import Edit, Finding
from offcanvas.audit.index import Index
from offcanvas.audit.module import Module
from offcanvas.audit.settings import Settings
from offcanvas.audit.syntax import UnreadableError, parse, parse_as_written, read_source
from offcanvas.audit.tasks import Task, TaskFinder, Unclear

if TYPE_CHECKING:
    from offcanvas.audit.rules import Rule

_BEFORE: Final = " @ before"
_OPEN: Final = 48
"""Syntax trees that are kept at a time; a tree of 1,000 lines takes about 2 MB."""


class Project:
    """All facts of a project joined; build it with `from_sources` or `scan.scan`."""

    def __init__(
        self,
        facts: Iterable[ModuleFacts],
        sources: Mapping[str, bytes] | None = None,
        root: Path = Path(),
        deploy: Iterable[Stop] = (),
    ) -> None:
        self.root = root
        self.stops = [*deploy]
        """Workers that files of process managers start."""
        self.index = Index(facts)
        finder = TaskFinder(self.index)
        self.tasks: list[Task] = finder.find()
        self.index.know_tasks(t.qualname for t in self.tasks)
        self.unclear: list[Unclear] = finder.unclear
        self.tasks_by_qualname = {t.qualname: t for t in self.tasks}
        self.tasks_by_name = {t.name: t for t in self.tasks}
        self.tasks_by_place = {(t.path, t.function): t for t in self.tasks}
        self.settings = Settings(self.index)
        self.beat: list[BeatEntry] = find_beat_entries(
            self.index, self.settings, self.tasks_by_name
        )
        self.rule: Rule | None = None
        self.before: Project | None = None
        """The project at an earlier git ref, when `--against` names one."""
        self._sources = sources
        self._open: OrderedDict[str, Module | None] = OrderedDict()

    @classmethod
    def from_sources(cls, sources: Mapping[str, str]) -> "Project":
        """A project from texts by path, for tests and snippets. Raises UnreadableError.

        A path "tasks.py @ before" belongs to the project at the earlier ref; "compose.yaml" and the
        like are read as what they are.
        """
        deploy = {p: t for p, t in sources.items() if is_deploy_file(PurePosixPath(p).name)}
        now = {
            p: t.encode() for p, t in sources.items() if not p.endswith(_BEFORE) and p not in deploy
        }
        then = {
            p.removesuffix(_BEFORE): t.encode() for p, t in sources.items() if p.endswith(_BEFORE)
        }
        project = cls(
            [facts_of.extract(p, d, parse(d)) for p, d in now.items()],
            now,
            deploy=[stop for p, t in deploy.items() for stop in stops(p, t.encode())],
        )
        if then:
            project.before = cls([facts_of.extract(p, d, parse(d)) for p, d in then.items()], then)
        return project

    @property
    def files(self) -> Mapping[str, ModuleFacts]:
        """Facts by path."""
        return self.index.files

    def open(self, path: str) -> Module | None:
        """A file with its syntax tree; None when it has become unreadable."""
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        module = None
        try:
            source = self._sources[path] if self._sources else read_source(self.root / path)
            tree, exact = parse_as_written(source)
            module = Module(self, self.files[path], source, tree, exact)
        except UnreadableError:
            pass  # it was read a moment ago; the scan reports files that cannot be read
        self._open[path] = module
        while len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return module

    def text(self, path: str) -> str:
        """The source of a file; empty when it has become unreadable."""
        try:
            source = self._sources[path] if self._sources else read_source(self.root / path)
        except UnreadableError:
            return ""
        return source.decode("utf-8", "replace")

    @property
    def celery_files(self) -> list[str]:
        """Paths of the files worth opening: with words of Celery's, a task, a setting, or a
        transaction in which a function of another file may send a task."""
        with_task = {task.path for task in self.tasks}
        with_task |= {setting.path for setting in self.settings.written}
        with_task |= {entry.path for entry in self.beat}
        return [
            path
            for path, facts in self.files.items()
            if facts.speaks_celery or path in with_task or _opens_transactions(facts)
        ]

    def modules(self) -> Iterator[Module]:
        """The files worth opening, opened one after the other."""
        for path in self.celery_files:
            module = self.open(path)
            if module is not None:
                yield module

    def mentions(self, *names: str) -> bool:
        """Whether any file imports one of these canonical names (or something below one)."""
        return any(name in self._imported for name in names)

    @cached_property
    def _imported(self) -> frozenset[str]:
        """Every imported name, and the names above each: of "a.b.c" also "a.b" and "a"."""
        written = {
            target
            for facts in self.files.values()
            for imports in (facts.imports, *facts.local_imports.values())
            for target in imports.values()
        }
        return frozenset(
            ".".join(parts[:end])
            for parts in (target.split(".") for target in written)
            for end in range(1, len(parts) + 1)
        )

    def finding(
        self,
        path: str,
        line: int,
        column: int,
        message: str,
        *,
        doubt: str = "",
        edits: tuple[Edit, ...] = (),
        imports: tuple[tuple[str, str], ...] = (),
        related: tuple[tuple[str, int, str], ...] = (),
        end_line: int = 0,
    ) -> Finding:
        """A finding of the running rule. With doubt its severity is one step milder."""
        if self.rule is None:
            raise RuntimeError("a finding is made while a rule runs")
        severity = self.rule.severity.lower if doubt else self.rule.severity
        return Finding(
            path=path,
            line=line,
            column=column,
            code=self.rule.code,
            severity=severity,
            message=message,
            doubt=doubt,
            end_line=end_line or line,
            related=related,
            edits=edits,
            imports=imports,
        )

    def check(self, rules: Iterable["Rule"]) -> list[Finding]:
        """What these rules find, by file and line."""
        chosen = [*rules]
        found = {*self.check_project(chosen)}
        for module in self.modules():
            found.update(self.check_module(module, chosen))
        return sorted(found)

    def check_project(self, rules: Iterable["Rule"]) -> Iterator[Finding]:
        """What those of the rules find that look at the project as a whole."""
        for rule in rules:
            look = rule.check if rule.scope == "project" else rule.whole
            if look is not None:
                self.rule = rule
                yield from look(self)
        self.rule = None

    def check_module(self, module: Module, rules: Iterable["Rule"]) -> Iterator[Finding]:
        """What those of the rules find that look at one file."""
        for rule in rules:
            if rule.scope == "module":
                self.rule = rule
                yield from rule.check(module)
        self.rule = None


def _opens_transactions(facts: ModuleFacts) -> bool:
    return any(target.startswith("django.db.transaction") for target in facts.imports.values())
