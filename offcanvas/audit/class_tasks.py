"""What runs in a class task: `run()`, Celery's hooks, and the methods that these lead to.

`run()` may be inherited, and what differs between the tasks of a base class is then a method that
the base calls: `def run(self, *args): return self.work(*args)`.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping

from offcanvas.audit.index import Index
from offcanvas.audit.syntax import UnreadableError, parse
from offcanvas.audit.tasks import Task

HOOKS = ("__call__", "before_start", "on_success", "on_retry", "on_failure", "after_return")
"""What Celery calls of a task's class, in the process that runs the task."""
_MOST = 60
"""Methods that one task is followed through."""


def methods_of_class_tasks(
    index: Index, tasks: Iterable[Task], source: Callable[[str], bytes]
) -> Mapping[tuple[str, str], Task]:
    """(path, qualified name) of every method that a class task runs -> the task.

    A method that several tasks share belongs to the first of them. Class tasks are few, so that
    their files are read once more here.
    """
    found: dict[tuple[str, str], Task] = {}
    trees: dict[str, Mapping[str, ast.AST]] = {}
    for task in tasks:
        if task.kind != "class" and (task.base is None or index.class_(task.base) is None):
            continue
        own = task.qualname if task.kind == "class" else str(task.base)
        begin = ("run", *HOOKS) if task.kind == "class" else HOOKS
        todo, seen = [index.method(own, name) for name in begin], set[str]()
        while todo and len(seen) < _MOST:
            name = todo.pop()
            method = index.function(name)
            if method is None or name in seen:
                continue
            seen.add(name)
            path, qualname = method[0].path, method[1].qualname
            found.setdefault((path, qualname), task)
            if path not in trees:
                trees[path] = _methods(source, path)
            node, first = trees[path].get(qualname), next(iter(method[1].params.items), None)
            if node is not None and first is not None:
                todo += [index.method(own, called) for called in _own(node, first.name)]
                todo += [_above(index, own, name, called) for called in _of_super(node)]
    return found


def _own(node: ast.AST, first: str) -> Iterator[str]:
    """The methods that a method asks its own object for."""
    for inner in ast.walk(node):
        owner = inner.value if isinstance(inner, ast.Attribute) else None
        if isinstance(inner, ast.Attribute) and isinstance(owner, ast.Name) and owner.id == first:
            yield inner.attr


def _of_super(node: ast.AST) -> Iterator[str]:
    """The methods that a method calls by `super()`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Call):
            func = inner.value.func
            if isinstance(func, ast.Name) and func.id == "super":
                yield inner.attr


def _above(index: Index, own: str, method: str, called: str) -> str:
    """What `super().called` is in a method of one of the ancestors of a class."""
    ancestors = [*index.ancestors(own)]
    owner = method.rpartition(".")[0]
    after = ancestors[ancestors.index(owner) + 1 :] if owner in ancestors else []
    for name in after:
        found = index.class_(name)
        if found is not None and called in found[1].methods:
            return f"{name}.{called}"
    return f"?.{called}"


def _methods(source: Callable[[str], bytes], path: str) -> Mapping[str, ast.AST]:
    """The methods of a file by qualified name."""
    try:
        tree = parse(source(path))
    except UnreadableError:
        return {}
    found: dict[str, ast.AST] = {}
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, scope = todo.pop()
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", None)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{scope}.{name}" if scope else str(name)
                found[inner] = child
                todo.append((child, inner))
            elif isinstance(child, ast.stmt):
                todo.append((child, scope))
    return found
