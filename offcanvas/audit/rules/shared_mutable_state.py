"""State that one run of a task leaves behind for the next one, or shares with a run beside it.

Bad:
    from celery import Celery

    app = Celery("shop")
    app.conf.worker_pool = "threads"

    @app.task(bind=True)
    def scan(self, context):
        self.scan_id = context["id"]
        report(self)
Good:
    from celery import Celery

    app = Celery("shop")
    app.conf.worker_pool = "threads"

    @app.task(bind=True)
    def scan(self, context):
        scan_id = context["id"]
        report(scan_id)
Why: A worker process has one object for each task, and one copy of each module and of each default
    value. What a run writes there is seen by the next run, and with threads or greenlets by the
    runs beside it; with prefork it depends on which process gets the message.
Prefect: Tasks of one flow run may share a process; pass values instead.
Temporal: An activity class is instantiated once for a worker and shared by all its activities.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#instantiation
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK
from offcanvas.audit.rules import module_rule
from offcanvas.audit.tree import Function

_CONCURRENT: Final = frozenset({"threads", "gevent", "eventlet"})
_MUTATES: Final = frozenset(
    {"append", "add", "update", "extend", "insert", "setdefault", "pop", "remove", "clear"}
    | {"discard", "popitem"}
)
_MAKES: Final = frozenset(
    {f"builtins.{n}" for n in ("list", "dict", "set")}
    | {"collections.defaultdict", "collections.OrderedDict", "collections.deque"}
)
_AFTER: Final = frozenset({"after_return", "before_start", "on_success", "on_failure"})
_CLASS_METHODS: Final = frozenset({"__init__", "__new__", "bind", "on_bound", "__init_subclass__"})


@module_rule("CEL309", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Attributes of the task's object, default values, and names of the module."""
    pool = module.project.settings.literal("worker_pool")
    for function in module.functions:
        first = next(iter(function.params.items), None)
        if first is not None and _is_tasks_object(module, function):
            doubt = "" if pool in _CONCURRENT else "with prefork runs follow one another"
            yield from _attributes(module, function, first.name, doubt)
        if function.task is not None:
            yield from _defaults(module, function)
            yield from _globals(module, function)


def _is_tasks_object(module: Module, function: Function) -> bool:
    """Whether the first parameter of a function is the one object of a task."""
    if function.owner is None:
        return function.task is not None and function.task.bound
    if function.name in _CLASS_METHODS or function.node.decorator_list:
        return False  # properties and other decorated methods keep caches
    index = module.project.index
    return TASK in index.ancestors(f"{index.name_of(module.facts)}.{function.owner}")


def _attributes(module: Module, function: Function, own: str, doubt: str) -> Iterator[Remark]:
    told = set()
    for node in module.inside(function.node, ast.Attribute):
        if not isinstance(node.ctx, ast.Store) or not _is(node.value, own):
            continue
        if node.attr in told or _is_lazy(module, node, ast.unparse(node)):
            continue
        if doubt and _is_reset(module, function, own, node.attr):
            continue  # each run of a process begins or ends by setting it
        told.add(node.attr)
        grows = isinstance(module.parents.get(node), ast.AugAssign)
        yield module.remark(
            node,
            f"{own}.{node.attr} is kept on the task's one object and seen by other runs; "
            "use a local variable",
            doubt="" if grows else doubt,
        )


def _is_reset(module: Module, function: Function, own: str, attribute: str) -> bool:
    """Whether an attribute is put back: in `finally`, in a hook after the run, or at its start."""
    stores = [
        n
        for n in module.inside(function.node, ast.Attribute)
        if isinstance(n.ctx, ast.Store | ast.Del) and n.attr == attribute and _is(n.value, own)
    ]
    if any(_in_finally(module, s) for s in stores):
        return True
    first = module.parents.get(stores[0])
    if len(stores) > 1 and isinstance(first, ast.Assign) and first in function.node.body:
        return _is_blank(first.value)
    if function.owner is None:
        return False
    for hook in module.functions:
        if hook.owner != function.owner or hook.name not in _AFTER:
            continue
        parameter = next(iter(hook.params.items), None)
        for node in module.inside(hook.node, ast.Attribute):
            if (
                isinstance(node.ctx, ast.Store | ast.Del)
                and node.attr == attribute
                and parameter is not None
                and _is(node.value, parameter.name)
            ):
                return True
    return False


def _in_finally(module: Module, node: ast.AST) -> bool:
    below = node
    for ancestor in module.around(node):
        if isinstance(ancestor, ast.Try) and any(below is s for s in ancestor.finalbody):
            return True
        below = ancestor
    return False


def _is_blank(node: ast.expr) -> bool:
    """`None`, `0`, `[]`, `{}`."""
    empty = isinstance(node, ast.List | ast.Tuple) and not node.elts
    return isinstance(node, ast.Constant) or empty or (isinstance(node, ast.Dict) and not node.keys)


def _is_lazy(module: Module, node: ast.AST, written: str) -> bool:
    """`if self._db is None: self._db = connect()`: one for each process, on purpose."""
    for ancestor in module.around(node):
        if isinstance(ancestor, ast.If) and written in ast.unparse(ancestor.test):
            return True
        if isinstance(ancestor, ast.Try) and any(
            "AttributeError" in ast.unparse(h.type) for h in ancestor.handlers if h.type
        ):
            return True
    return False


def _defaults(module: Module, function: Function) -> Iterator[Remark]:
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(
            positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True
        ),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is None or not _is_mutable(module, default):
            continue
        bound = function.bindings.get(argument.arg, [])
        names = [argument.arg, *_other_names(module, function, argument.arg)]
        changes = (_changed(module, function, name) for name in names)
        changed = next((c for c in changes if c is not None), None)
        if changed is not None and all(b.how in {"parameter", "grows by"} for b in bound):
            yield module.remark(
                default,
                f"the default of {argument.arg} is one object for all runs, and line "
                f"{changed.lineno} changes it; use None and make it in the task",
                related=((module.path, changed.lineno, "changed here"),),
            )


def _other_names(module: Module, function: Function, name: str) -> Iterator[str]:
    """`found = name`: another name of the same object, and of no other."""
    for assign in module.inside(function.node, ast.Assign):
        target = assign.targets[0]
        if not (_is(assign.value, name) and isinstance(target, ast.Name)):
            continue
        if len(function.bindings.get(target.id, ())) == 1:
            yield target.id


def _is_mutable(module: Module, node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return module.name(node.func) in _MAKES
    return isinstance(node, ast.List | ast.Dict | ast.Set)


def _changed(module: Module, function: Function, name: str) -> ast.expr | None:
    """The first place in a function that changes the object behind a name."""
    for call in module.inside(function.node, ast.Call):
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr in _MUTATES and _is(func.value, name):
            return call
    for item in module.inside(function.node, ast.Subscript):
        if isinstance(item.ctx, ast.Store | ast.Del) and _is(item.value, name):
            return item
    for growth in module.inside(function.node, ast.AugAssign):
        if _is(growth.target, name):
            return growth.target
    return None


def _globals(module: Module, function: Function) -> Iterator[Remark]:
    declared = {n for g in module.inside(function.node, ast.Global) for n in g.names}
    for name in sorted(declared):
        stores = [
            n
            for n in module.inside(function.node, ast.Name)
            if n.id == name and isinstance(n.ctx, ast.Store)
        ]
        if stores and not any(_is_lazy(module, s, name) for s in stores):
            yield module.remark(
                stores[0],
                f"{name} is a name of the module: each worker process has its own, shared by all "
                "runs in it; pass it, or keep it in a database",
            )
    tops: set[str] = set()
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if _is_mutable(module, statement.value):
                tops |= {t.id for t in targets if isinstance(t, ast.Name)}
    for name in sorted(tops - declared - function.bindings.keys()):
        changed = _changed(module, function, name)
        if changed is not None:
            yield module.remark(
                changed,
                f"{name} is changed by each run: every worker process has its own and keeps it "
                "until it ends",
                doubt="a cache for each process may be meant",
            )


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
