"""Read the facts of one file from its syntax tree; see `facts`."""

import ast
import re
from typing import Final

from offcanvas.audit.facts import (
    ClassFacts,
    FunctionFacts,
    Loose,
    ModuleFacts,
    Param,
    Params,
    Store,
)
from offcanvas.audit.values import Call, Item, Name, Opaque, Seq, Value, value_of

_CONFIGURING: Final = frozenset(
    {"add_defaults", "add_periodic_task", "autodiscover_tasks", "config_from_object", "register"}
    | {"register_task", "setdefault", "update", "from_mapping"}
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_BLOCKS: Final = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar),
    ast.Match,
)
_KEPT: Final = (
    *(ast.Call, ast.Name, ast.Attribute, ast.Dict, ast.Subscript, ast.IfExp, ast.BoolOp),
    ast.Lambda,
)
"""What local names and attributes are assigned that is worth a fact."""
_CELERY_WORDS: Final = (
    *(b"celery", b"Celery", b"CELERY", b".delay", b"apply_async", b"send_task", b".s(", b".si("),
    *(b"add_periodic_task", b"subtask", b"on_commit", b"register_task", b"autodiscover_tasks"),
    *(b"config_from_object", b"visibility_timeout", b".Task,", b".Task)"),
)
_CELERY_FORMS: Final = (
    (b"signature", re.compile(rb"\bsignature")),
    (b".task", re.compile(rb"^[ \t]*@[\w.]+\.task\b", re.MULTILINE)),
)
"""What only counts in a form, looked for where the word is there: most files have none of them."""


def extract(path: str, source: bytes, tree: ast.Module) -> ModuleFacts:
    """The facts of a parsed file; relative imports stay relative ("..tasks") for the index."""
    speaks_celery = _speaks_celery(source)
    reader = _Reader(speaks_celery)
    reader.body(tree.body, "", None)
    return ModuleFacts(
        path=path,
        lines=len(source.splitlines()),
        speaks_celery=speaks_celery,
        imports=reader.imports,
        local_imports=reader.local_imports,
        stars=tuple(reader.stars),
        functions=reader.functions,
        classes=reader.classes,
        assigns=reader.assigns,
        assign_lines=reader.assign_lines,
        stores=tuple(reader.stores),
        loose=tuple(reader.loose),
        locals={k: tuple(v) for k, v in reader.locals.items()},
        attributes={k: tuple(v) for k, v in reader.attributes.items()},
        annotations=reader.annotations,
    )


def _speaks_celery(source: bytes) -> bool:
    """Whether a word of Celery's is in a file."""
    return any(word in source for word in _CELERY_WORDS) or any(
        word in source and form.search(source) is not None for word, form in _CELERY_FORMS
    )


def imported_names(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Local name -> what it stands for; `from . import x` gives ".x", `import a.b` gives a -> a."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: alias.name
            if alias.asname
            else alias.name.split(".")[0]
            for alias in node.names
        }
    prefix = "." * node.level + (node.module or "")
    dot = "" if prefix.endswith(".") else "."
    return {
        alias.asname or alias.name: f"{prefix}{dot}{alias.name}"
        for alias in node.names
        if alias.name != "*"
    }


def params_of(arguments: ast.arguments) -> Params:
    """The parameters of a function's argument list."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    items = [Param(a.arg, "positional", i >= first_default) for i, a in enumerate(positional)]
    if arguments.vararg:
        items.append(Param(arguments.vararg.arg, "args", True))
    items += [
        Param(a.arg, "keyword", default is not None)
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        items.append(Param(arguments.kwarg.arg, "kwargs", True))
    return Params(tuple(items))


class _Reader:
    """Walks statements, never into expressions that no fact is about: that keeps it fast."""

    def __init__(self, speaks_celery: bool) -> None:
        # A file without a word of Celery's only has to answer what its names stand for.
        self.depth = 8 if speaks_celery else 2
        self.speaks_celery = speaks_celery
        self.imports: dict[str, str] = {}
        self.local_imports: dict[str, dict[str, str]] = {}
        self.stars: list[str] = []
        self.functions: dict[str, FunctionFacts] = {}
        self.classes: dict[str, ClassFacts] = {}
        self.assigns: dict[str, Value] = {}
        self.assign_lines: dict[str, int] = {}
        self.stores: list[Store] = []
        self.loose: list[Loose] = []
        self.locals: dict[str, list[Value]] = {}
        self.attributes: dict[str, list[Value]] = {}
        self.annotations: dict[str, Value] = {}
        self.returns: dict[str, list[Value]] = {}
        self.params: dict[str, frozenset[str]] = {}

    def body(self, statements: list[ast.stmt], scope: str, owner: ast.ClassDef | None) -> None:
        for statement in statements:
            self.statement(statement, scope, owner)

    def statement(self, node: ast.stmt, scope: str, owner: ast.ClassDef | None) -> None:
        # The most frequent ones first; tuples, because every file's every statement comes by here
        # and `A | B` is built anew each time.
        if isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Call):
                self.call(node.value, scope)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self.assign(target, node.value, scope, owner)
        elif isinstance(node, ast.Return):
            if node.value is not None and scope in self.returns:
                self.returns[scope].append(value_of(node.value, 6 if self.speaks_celery else 2))
        elif isinstance(node, _FUNCTIONS):
            self.function(node, scope, owner)
        elif isinstance(node, _IMPORTS):
            self.import_(node, scope)
        elif isinstance(node, ast.ClassDef):
            self.class_(node, scope)
        elif isinstance(node, ast.AnnAssign):
            if self.speaks_celery and isinstance(node.target, ast.Name):
                said = value_of(node.annotation, 2)
                if not scope:
                    self.annotations[node.target.id] = said
                elif isinstance(said, Name) and "Celery" in said.dotted:
                    self.annotations[f"{scope}.{node.target.id}"] = said
            if node.value is not None:
                self.assign(node.target, node.value, scope, owner)
        elif isinstance(node, ast.AugAssign):
            self.augment(node, scope, owner)
        elif isinstance(node, _BLOCKS):
            if isinstance(node, ast.For):
                self.loop(node, scope)
            self.compound(node, scope, owner)

    def compound(self, node: ast.stmt, scope: str, owner: ast.ClassDef | None) -> None:
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(node, name, None)
            if inner:
                self.body(inner, scope, owner)
        for handler in getattr(node, "handlers", ()):
            self.body(handler.body, scope, owner)
        for case in getattr(node, "cases", ()):
            self.body(case.body, scope, owner)

    def import_(self, node: ast.Import | ast.ImportFrom, scope: str) -> None:
        names = imported_names(node)
        if scope:
            self.local_imports.setdefault(scope, {}).update(names)
            return
        self.imports.update(names)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            self.stars.append("." * node.level + (node.module or ""))

    def function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        scope: str,
        owner: ast.ClassDef | None,
    ) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        self.returns[qualname] = []
        if self.speaks_celery:
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                said = value_of(argument.annotation, 2) if argument.annotation else None
                if isinstance(said, Name) and "Celery" in said.dotted:
                    self.annotations[f"{qualname}.{argument.arg}"] = said
        params = params_of(node.args)
        self.params[qualname] = self.params.get(scope, frozenset()) | params.names
        self.body(node.body, qualname, None)
        self.functions[qualname] = FunctionFacts(
            name=node.name,
            qualname=qualname,
            owner=scope if owner is not None else None,
            line=node.lineno,
            column=node.col_offset,
            end=node.end_lineno or node.lineno,
            params=params,
            decorators=tuple(value_of(d) for d in node.decorator_list),
            returns=tuple(self.returns.pop(qualname)[:4]),
            is_async=isinstance(node, ast.AsyncFunctionDef),
            doc=(ast.get_docstring(node) or "").partition("\n")[0][:120],
        )

    def class_(self, node: ast.ClassDef, scope: str) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        attributes: dict[str, Value] = {}
        lines: dict[str, int] = {}
        for item in node.body:
            target = item.targets[0] if isinstance(item, ast.Assign) else None
            if isinstance(item, ast.AnnAssign):
                target = item.target
            value = item.value if isinstance(item, ast.Assign | ast.AnnAssign) else None
            if isinstance(target, ast.Name) and value is not None:
                attributes[target.id] = value_of(value, self.depth)
                lines[target.id] = item.lineno
        self.classes[qualname] = ClassFacts(
            name=node.name,
            qualname=qualname,
            line=node.lineno,
            bases=tuple(value_of(b) for b in node.bases),
            decorators=tuple(value_of(d) for d in node.decorator_list),
            attributes=attributes,
            methods=tuple(
                i.name for i in node.body if isinstance(i, ast.FunctionDef | ast.AsyncFunctionDef)
            ),
            attribute_lines=lines,
        )
        self.body(node.body, qualname, node)

    def assign(
        self, target: ast.expr, value: ast.expr, scope: str, owner: ast.ClassDef | None
    ) -> None:
        if isinstance(value, ast.Call):
            self.call(value, scope)
        if isinstance(target, ast.Name):
            if scope and self.speaks_celery and owner is None:
                self.keep(self.locals, f"{scope}.{target.id}", value)
            if not scope and owner is None:
                self.assigns[target.id] = value_of(value, self.depth)
                self.assign_lines[target.id] = value.lineno
        elif isinstance(target, ast.Attribute):
            self.assign_attribute(target, value, scope)
        elif isinstance(target, ast.Subscript):
            self.assign_item(target, value, scope)

    def keep(self, where: dict[str, list[Value]], place: str, value: ast.expr) -> None:
        if isinstance(value, _KEPT):
            where.setdefault(place, []).append(value_of(value, 6))

    def assign_attribute(self, target: ast.Attribute, value: ast.expr, scope: str) -> None:
        owner = value_of(target)
        dotted = owner.dotted if isinstance(owner, Name) else ""
        if ".conf" in dotted or target.attr == "Task" or (not dotted and _is_conf(target)):
            self.stores.append(Store(dotted, owner, None, value_of(value), value.lineno, scope))
        elif self.speaks_celery and scope.count(".") and dotted.count(".") == 1:
            # `self.app = Celery()` in a method: its class has the attribute.
            class_, _, method = scope.rpartition(".")
            if dotted.startswith("self.") or (method == "__init__" and class_):
                self.keep(self.attributes, f"{class_}.{target.attr}", value)

    def assign_item(self, target: ast.Subscript, value: ast.expr, scope: str) -> None:
        key = target.slice
        inner = target.value
        per_database = isinstance(key, ast.Constant) and key.value == "ATOMIC_REQUESTS"
        if per_database and isinstance(inner, ast.Subscript):
            inner = inner.value  # DATABASES["default"]["ATOMIC_REQUESTS"] = True
        if not (self.speaks_celery or per_database) or isinstance(key, ast.Slice):
            return
        literal = isinstance(key, ast.Constant) and isinstance(key.value, str)
        owner = value_of(inner)
        dotted = owner.dotted if isinstance(owner, Name) else ""
        if isinstance(value, ast.Tuple) and not literal and not self.is_handed_in(value, scope):
            return
        if literal or isinstance(value, ast.Dict | ast.Call | ast.Subscript | ast.Name | ast.Tuple):
            said = str(key.value) if literal and isinstance(key, ast.Constant) else "?"
            self.stores.append(Store(dotted, owner, said, value_of(value), value.lineno, scope))

    def augment(self, node: ast.AugAssign, scope: str, owner: ast.ClassDef | None) -> None:
        # `SCHEDULE |= {...}` and `IMPORTS += (...)`: kept as a store without forgetting the first.
        target = value_of(node.target)
        if isinstance(target, Name) and owner is None and self.speaks_celery:
            said = value_of(node.value)
            self.stores.append(Store(target.dotted, target, "|=", said, node.lineno, scope))

    def loop(self, node: ast.For | ast.AsyncFor, scope: str) -> None:
        """`for kind in (Print, Bind): app.register_task(kind())`."""
        if self.speaks_celery and isinstance(node.target, ast.Name):
            items = value_of(node.iter, 4)
            for item in items.items if isinstance(items, Seq) else ():
                self.locals.setdefault(f"{scope}.{node.target.id}", []).append(item)
        if not self.speaks_celery:
            return
        # `for name, (job, options) in self.jobs.items()`: one of what is kept there.
        source = node.iter
        if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute):
            source = source.func.value if source.func.attr in {"items", "values"} else source
        kept = value_of(source, 2)
        if isinstance(kept, Name):
            for target in ast.walk(node.target):
                if isinstance(target, ast.Name):
                    one = Item(kept, Opaque("loop"))
                    self.locals.setdefault(f"{scope}.{target.id}", []).append(one)

    def call(self, node: ast.Call, scope: str) -> None:
        hands_over = not scope and bool(node.args) and isinstance(node.args[0], ast.Name)
        if not (self.speaks_celery or hands_over):
            return
        tail = node.func.attr if isinstance(node.func, ast.Attribute) else None
        keeps = tail == "append" and bool(node.args) and self.is_handed_in(node.args[0], scope)
        if hands_over or keeps or tail in _CONFIGURING or _registers(node, tail):
            called = value_of(node)
            if isinstance(called, Call):
                self.loose.append(Loose(called, scope))

    def is_handed_in(self, value: ast.expr, scope: str) -> bool:
        """Whether a value is a parameter, or a tuple with one."""
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        names = self.params.get(scope, frozenset())
        return any(isinstance(p, ast.Name) and p.id in names for p in parts)


def _is_conf(target: ast.expr) -> bool:
    """`registry["celery"].conf.task_acks_late`: an attribute of an app's settings."""
    while isinstance(target, ast.Attribute):
        target = target.value
        if isinstance(target, ast.Attribute) and target.attr == "conf":
            return True
    return False


def _registers(node: ast.Call, tail: str | None) -> bool:
    """`celery.task(**options)(function)`, `celery.task(function)`, `shared_task(...)(function)`."""
    if len(node.args) != 1 or not isinstance(node.args[0], ast.Name):
        return False
    func = node.func.func if isinstance(node.func, ast.Call) else node.func
    inner = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return inner == "task" or (inner == "shared_task" and isinstance(node.func, ast.Call))
