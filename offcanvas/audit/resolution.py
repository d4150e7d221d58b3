"""Which file is which module, and what a name stands for: imports, re-exports, aliases, scopes."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from offcanvas.audit.facts import ClassFacts, FunctionFacts, ModuleFacts
from offcanvas.audit.names import canonical
from offcanvas.audit.values import Const, Either, Name, Value

_HOPS = 24
"""How many imports and aliases one name is followed through."""


class Resolution:
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
        self._found: dict[str, tuple[ModuleFacts, str] | None] = {}
        self._resolved: dict[tuple[str, str], str] = {}

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
        within = scope
        while scope:
            # A class is not a scope of its methods: only its own body sees its names.
            if scope == within or scope not in facts.classes:
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

    def value(self, name: str) -> tuple[ModuleFacts, Value] | None:
        """What a name of a module, or an attribute of a class, is assigned in the project."""
        found = self.find(name)
        if found is None:
            return None
        facts, inner = found
        if inner in facts.assigns:
            return facts, facts.assigns[inner]
        owner, dot, attribute = inner.rpartition(".")
        class_ = facts.classes.get(owner) if dot else None
        if class_ is None:
            return None
        if attribute in class_.attributes:
            return facts, class_.attributes[attribute]
        kept = facts.attributes.get(inner, ())
        return (facts, kept[0] if len(kept) == 1 else Either(kept)) if kept else None

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
