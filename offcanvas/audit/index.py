"""Join the facts of all files: which file is which module, and what a name stands for."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath

from offcanvas.audit.facts import ClassFacts, FunctionFacts, ModuleFacts
from offcanvas.audit.names import GIVES, INSTANCES, TASK, canonical
from offcanvas.audit.values import Call, Const, Either, Member, Name, Value

_HOPS = 24
"""How many imports and aliases one name is followed through."""


class Index:
    """The facts of a project by module, and the resolution of names through them."""

    def __init__(self, facts: Iterable[ModuleFacts]) -> None:
        self.files: dict[str, ModuleFacts] = {f.path: f for f in facts}
        self.modules: dict[str, ModuleFacts] = {}
        self.module_names: dict[str, str] = {}
        packages = {str(PurePosixPath(p).parent) for p in self.files if p.endswith("__init__.py")}
        suffixes: dict[str, ModuleFacts | None] = {}
        for path, module in sorted(self.files.items()):
            name = _module_name(path, packages)
            self.module_names[path] = name
            self.modules.setdefault(name, module)
            parts = _parts(path)
            for start in range(len(parts)):
                suffix = ".".join(parts[start:])
                # A suffix that two files share names neither of them.
                suffixes[suffix] = None if suffix in suffixes else module
        self._suffixes = suffixes
        self._tasks: frozenset[str] = frozenset()
        self._given: dict[str, str | None] = {}
        self._instances: dict[str, str | None] = {}
        self._found: dict[str, tuple[ModuleFacts, str] | None] = {}
        self._resolved: dict[tuple[str, str], str] = {}

    def know_tasks(self, names: Iterable[str]) -> None:
        """Tell the index which canonical names are tasks, once they have been found through it."""
        self._tasks = frozenset(names)
        self._instances.clear()
        self._given.clear()

    def module(self, dotted: str) -> ModuleFacts | None:
        """The file behind a module name, by its import root or, if that is unique, its tail."""
        if dotted == "celery" or dotted.startswith("celery."):
            return None  # a project's own celery.py is never what `import celery` means
        found = self.modules.get(dotted)
        if found is None and "." in dotted:
            found = self._suffixes.get(dotted)
        return found

    def name_of(self, facts: ModuleFacts) -> str:
        """The dotted name a module is imported under."""
        return self.module_names[facts.path]

    def resolve(self, facts: ModuleFacts, dotted: str, scope: str = "") -> str:
        """What `dotted` stands for in a file, as a canonical dotted name.

        `scope` is the qualified name of the function it is written in, for imports made there.
        A name that is bound nowhere in the file is given back prefixed with "?.".
        """
        key = (f"{facts.path}:{scope}", dotted)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = self._resolve(facts, dotted, scope, _HOPS)
        return found

    def _resolve(self, facts: ModuleFacts, dotted: str, scope: str, hops: int) -> str:
        head, _, rest = dotted.partition(".")
        here = self.name_of(facts)
        while scope:
            imported = facts.local_imports.get(scope, {}).get(head)
            if imported is not None:
                return self.follow(self._absolute(facts, _join(imported, rest)), hops - 1)
            nested = f"{scope}.{head}"
            if nested in facts.functions or nested in facts.classes:
                return f"{here}.{_join(nested, rest)}"
            scope = scope.rpartition(".")[0]
        if head in facts.functions or head in facts.classes:
            return f"{here}.{dotted}"
        if head in facts.assigns:
            value = facts.assigns[head]
            if isinstance(value, Name) and value.dotted.partition(".")[0] != head and hops > 0:
                return self._resolve(facts, _join(value.dotted, rest), "", hops - 1)
            return f"{here}.{dotted}"
        if head in facts.imports:
            return self.follow(self._absolute(facts, _join(facts.imports[head], rest)), hops - 1)
        for star in facts.stars:
            source = self.module(self._absolute(facts, star))
            if source is not None and source is not facts and hops > 0:
                name = self._resolve(source, dotted, "", hops - 1)
                if not name.startswith("?."):
                    return name
            elif source is None and star.startswith("celery"):
                return canonical(f"{star}.{dotted}")
        return f"?.{dotted}"

    def follow(self, dotted: str, hops: int = _HOPS) -> str:
        """An absolute dotted name, followed through the project's modules to its definition."""
        parts = dotted.split(".")
        for cut in range(len(parts), 0, -1):
            facts = self.module(".".join(parts[:cut]))
            if facts is None:
                continue
            rest = ".".join(parts[cut:])
            here = self.name_of(facts)
            if not rest or hops <= 0:
                return _join(here, rest)
            name = self._resolve(facts, rest, "", hops - 1)
            return _join(here, rest) if name.startswith("?.") else name
        return canonical(dotted)

    def _absolute(self, facts: ModuleFacts, dotted: str) -> str:
        if not dotted.startswith("."):
            return dotted
        level = len(dotted) - len(dotted.lstrip("."))
        package = self.name_of(facts).split(".")
        if not facts.path.endswith("__init__.py"):
            package = package[:-1]
        package = package[: len(package) - (level - 1)]
        return ".".join([*package, dotted.lstrip(".")]).rstrip(".")

    def find(self, name: str) -> tuple[ModuleFacts, str] | None:
        """The file that holds a canonical name, and the name within it."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> tuple[ModuleFacts, str] | None:
        parts = name.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            facts = self.module(".".join(parts[:cut]))
            if facts is not None:
                return facts, ".".join(parts[cut:])
        return None

    def function(self, name: str) -> tuple[ModuleFacts, FunctionFacts] | None:
        """The function or method of the project behind a canonical name."""
        found = self.find(name)
        if found is None:
            return None
        function = found[0].functions.get(found[1])
        return (found[0], function) if function is not None else None

    def class_(self, name: str) -> tuple[ModuleFacts, ClassFacts] | None:
        """The class of the project behind a canonical name."""
        found = self.find(name)
        if found is None:
            return None
        class_ = found[0].classes.get(found[1])
        return (found[0], class_) if class_ is not None else None

    def ancestors(self, name: str) -> Iterator[str]:
        """The class and its bases, nearest first; the last ones may lie outside of the project."""
        queue, seen = [name], set()
        while queue:
            current = queue.pop(0)
            if current in seen:
                continue
            seen.add(current)
            yield current
            found = self.class_(current)
            if found is not None:
                facts, class_ = found
                queue += [
                    self.resolve(facts, b.dotted) for b in class_.bases if isinstance(b, Name)
                ]
                # `class Base(app.Task)`, `class Base(get_task_base())`
                queue += [TASK for b in class_.bases if self._is_app_task(facts, b)]

    def _is_app_task(self, facts: ModuleFacts, base: Value) -> bool:
        if not isinstance(base, Name) or not base.dotted.endswith(".Task"):
            return False
        return self.instance(facts, Name(base.dotted.removesuffix(".Task"))) == "celery.Celery"

    def attribute(self, class_name: str, attribute: str) -> Value | None:
        """The value a class or one of its bases in the project gives an attribute."""
        for ancestor in self.ancestors(class_name):
            found = self.class_(ancestor)
            if found is not None and attribute in found[1].attributes:
                return found[1].attributes[attribute]
        return None

    def value(self, name: str) -> tuple[ModuleFacts, Value] | None:
        """What a module-level name of the project is assigned."""
        found = self.find(name)
        if found is None or found[1] not in found[0].assigns:
            return None
        return found[0], found[0].assigns[found[1]]

    def constant(self, facts: ModuleFacts, value: Value | None, scope: str = "") -> Value | None:
        """The value with names replaced by what they are assigned, as far as it is certain."""
        for _ in range(_HOPS):
            if not isinstance(value, Name):
                return value
            assigned = self.value(self.resolve(facts, value.dotted, scope))
            if assigned is None:
                return value
            facts, value, scope = assigned[0], assigned[1], ""
        return value

    def instance(
        self, facts: ModuleFacts, value: Value, scope: str = "", hops: int = 6
    ) -> str | None:
        """The class that a value is an object of, as far as it can be told from assignments."""
        if hops <= 0:
            return None
        if isinstance(value, Either):
            kinds = {self.instance(facts, v, scope, hops - 1) for v in value.options} - {None}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(value, Name):
            name = self.resolve(facts, value.dotted, scope)
            return self.instance_of_name(name)
        if isinstance(value, Call):
            called = self.called(facts, value, scope, hops - 1)
            return None if called is None else self.given_by(called)
        return None

    def instance_of_name(self, name: str) -> str | None:
        """The class that the object under a canonical name belongs to."""
        if name in INSTANCES:
            return INSTANCES[name]
        if name in self._tasks:
            return TASK
        if name not in self._instances:
            self._instances[name] = None  # a name that is assigned from itself is nothing
            assigned = self.value(name)
            if assigned is not None:
                self._instances[name] = self.instance(assigned[0], assigned[1])
                if self._instances[name] is None:
                    self._instances[name] = self._annotated(name)
        return self._instances[name]

    def _annotated(self, name: str) -> str | None:
        """Celery's class that a name is annotated with: `app: Celery = make_app()`."""
        found = self.find(name)
        said = found[0].annotations.get(found[1]) if found is not None else None
        if found is None or not isinstance(said, Name):
            return None
        kind = self.resolve(found[0], said.dotted)
        return kind if kind.startswith("celery.") else None

    def called(self, facts: ModuleFacts, value: Call, scope: str = "", hops: int = 6) -> str | None:
        """The canonical name of what a call calls; methods carry the class of their object."""
        func = value.func
        if isinstance(func, Name):
            owner, _, method = func.dotted.rpartition(".")
            if owner:
                kind = self.instance(facts, Name(owner), scope, hops - 1)
                if kind is not None:
                    return self.method(kind, method)
            return self.resolve(facts, func.dotted, scope)
        if isinstance(func, Member):
            kind = self.instance(facts, func.base, scope, hops - 1)
            return None if kind is None else self.method(kind, func.attr)
        return None

    def method(self, kind: str, method: str) -> str:
        """The canonical name of a method: of the class that defines it, else the library's."""
        outside = kind
        for ancestor in self.ancestors(kind):
            found = self.class_(ancestor)
            if found is None:
                outside = ancestor
                if ancestor.startswith("celery."):
                    break
            elif method in found[1].methods or method in found[1].attributes:
                return f"{ancestor}.{method}"
        return f"{outside}.{method}"

    def given_by(self, name: str) -> str | None:
        """The class of what calling a canonical name gives back."""
        if name in GIVES:
            return GIVES[name]
        if name not in self._given:
            self._given[name] = None  # a function that returns its own call says nothing
            self._given[name] = self._given_by(name)
        return self._given[name]

    def _given_by(self, name: str) -> str | None:
        if self.class_(name) is not None:
            return name
        found = self.function(name)
        if found is None:
            return None
        facts, function = found
        kinds = {self._returned(facts, v, function.qualname) for v in function.returns} - {None}
        return kinds.pop() if len(kinds) == 1 else None

    def _returned(self, facts: ModuleFacts, value: Value, scope: str) -> str | None:
        if isinstance(value, Name) and "." not in value.dotted:
            for loose in facts.calls_assigned.get(f"{scope}.{value.dotted}", ()):
                return self.instance(facts, loose, scope)
        return self.instance(facts, value, scope)

    @cached_property
    def all_classes(self) -> Mapping[str, tuple[ModuleFacts, ClassFacts]]:
        """Every class by canonical name."""
        return {
            f"{self.name_of(facts)}.{class_.qualname}": (facts, class_)
            for facts in self.files.values()
            for class_ in facts.classes.values()
        }


def literal(value: Value | None) -> object:
    """The literal a value spells, or None; ask `isinstance(value, Const)` to tell None apart."""
    return value.value if isinstance(value, Const) else None


def _join(head: str, rest: str) -> str:
    return f"{head}.{rest}" if rest else head


def _parts(path: str) -> tuple[str, ...]:
    pure = PurePosixPath(path).with_suffix("")
    return pure.parts[:-1] if pure.name == "__init__" else pure.parts


def _module_name(path: str, packages: set[str]) -> str:
    """The dotted name from the outermost folder that is a package."""
    pure = PurePosixPath(path)
    parts = list(_parts(path))
    top = pure.parent.parent if pure.name == "__init__.py" else pure.parent
    keep = 1
    while str(top) in packages and len(top.parts) > 0:
        keep += 1
        top = top.parent
    return ".".join(parts[-keep:]) if parts else "__init__"
