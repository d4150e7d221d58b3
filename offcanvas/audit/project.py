"""A project without its syntax trees: its index, tasks, settings, beat entries, and texts."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from offcanvas.audit import facts_read
from offcanvas.audit.apps import find_apps
from offcanvas.audit.beat import BeatEntry, find_beat_entries
from offcanvas.audit.class_tasks import methods_of_class_tasks
from offcanvas.audit.deploy import Stop, is_deploy_file, stops
from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.settings import Settings
from offcanvas.audit.syntax import UnreadableError, parse, read_source
from offcanvas.audit.tasks import Task, TaskFinder, Unclear

_BEFORE: Final = " @ before"


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
        find_apps(self.index)
        finder = TaskFinder(self.index)
        self.tasks: list[Task] = finder.find()
        self.task_classes: list[str] = finder.default_bases
        self.tasks_by_qualname = {**finder.handles, **{t.qualname: t for t in self.tasks}}
        """Tasks by every canonical name that holds one: their own, and `mail = app.tasks[...]`."""
        self.index.know_tasks(self.tasks_by_qualname)
        self.unclear: list[Unclear] = finder.unclear
        self.tasks_by_name = {t.name: t for t in self.tasks}
        self.tasks_by_place = {(t.path, t.function): t for t in self.tasks}
        for task in self.tasks:
            run = self.index.function(self.index.method(task.qualname, "run"))
            if task.kind == "class" and run is not None:  # it may be inherited
                self.tasks_by_place.setdefault((run[0].path, run[1].qualname), task)
        self.settings = Settings(self.index)
        self.beat: list[BeatEntry] = find_beat_entries(
            self.index, self.settings, self.tasks_by_name, self.tasks_by_qualname
        )
        self.before: Project | None = None
        """The project at an earlier git ref, when `--against` names one."""
        self._sources = sources
        self.parts_of_tasks = methods_of_class_tasks(self.index, self.tasks, self.source)
        """Methods that the `run()` of a class task leads to, by path and qualified name."""
        self.memory: dict[object, object] = {}
        """What has been found out about functions; `reach` keeps it here."""
        self.trees: OrderedDict[str, object] = OrderedDict()
        """The files that are open now; `resolved.ResolvedTree.opened` keeps them here."""

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
            [facts_read.extract(p, d, parse(d)) for p, d in now.items()],
            now,
            deploy=[stop for p, t in deploy.items() for stop in stops(p, t.encode())],
        )
        if then:
            project.before = cls(
                [facts_read.extract(p, d, parse(d)) for p, d in then.items()], then
            )
        return project

    @property
    def files(self) -> Mapping[str, ModuleFacts]:
        """Facts by path."""
        return self.index.files

    def source(self, path: str) -> bytes:
        """The bytes of a file. Raises UnreadableError when it has become unreadable."""
        return self._sources[path] if self._sources else read_source(self.root / path)

    def text(self, path: str) -> str:
        """The source of a file; empty when it has become unreadable."""
        try:
            source = self.source(path)
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
        with_task |= {path for path, _ in self.parts_of_tasks}
        return [
            path
            for path, facts in self.files.items()
            if facts.speaks_celery or path in with_task or _opens_transactions(facts)
        ]

    @cached_property
    def has_app(self) -> bool:
        """Whether an app is made in the project, or something acts as one."""
        return (
            any(
                self.index.is_app(self.index.instance(facts, call, scope))
                for facts in self.files.values()
                if facts.speaks_celery
                for call, scope in facts.calls()
            )
            or self.index.knows_apps
        )

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


def _opens_transactions(facts: ModuleFacts) -> bool:
    return any(target.startswith("django.db.transaction") for target in facts.imports.values())
