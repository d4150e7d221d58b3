"""How many seconds an expression means: numbers, timedelta(...), and back-off by retries."""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.resolution import literal

_UNITS: Final[Mapping[str, float]] = {
    "weeks": 604_800,
    "days": 86_400,
    "hours": 3_600,
    "minutes": 60,
    "seconds": 1,
    "milliseconds": 0.001,
    "microseconds": 0.000_001,
}
_ORDER: Final = ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")
_WORK: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_HUGE: Final = 1e9
_SETTINGS: Final = "django.conf.settings."


def seconds(module: Module, node: ast.expr, retries: int | None = None) -> float | None:
    """Seconds that an expression means, or None when it cannot be told.

    `retries` stands for `self.request.retries`. `min(a, b)` is the least of what is known of it.
    """
    said = module.literal(node)
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    options = module.possible(node)
    if len(options) == 1 and options[0] is not node:
        return seconds(module, options[0], retries)
    if isinstance(node, ast.BinOp):
        return _computed(module, node, retries)
    if isinstance(node, ast.Attribute):
        name = module.name(node) or ""
        if name.startswith(_SETTINGS):
            return django_setting(module.project, name.removeprefix(_SETTINGS))
        is_count = node.attr == "retries" and ast.unparse(node).endswith("request.retries")
        return float(retries) if is_count and retries is not None else None
    if isinstance(node, ast.Call):
        return _called(module, node, retries)
    return None


def _called(module: Module, node: ast.Call, retries: int | None) -> float | None:
    name = module.name(node.func)
    if name == "datetime.timedelta":
        return _timedelta(module, node)
    if name in {"builtins.int", "builtins.float", "builtins.round"} and node.args:
        return seconds(module, node.args[0], retries)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "total_seconds":
        return seconds(module, node.func.value, retries)
    if name in {"builtins.min", "builtins.max"} and len(node.args) > 1:
        known = [s for a in node.args if (s := seconds(module, a, retries)) is not None]
        if name == "builtins.min":
            return min(known, default=None)
        return max(known) if len(known) == len(node.args) else None
    if name in {"random.uniform", "random.randint", "random.randrange"} and node.args:
        return seconds(module, node.args[-1], retries)
    if name == "random.random":
        return 1.0
    return None


def _timedelta(module: Module, node: ast.Call) -> float | None:
    total = 0.0
    named = [
        *zip(_ORDER, node.args, strict=False),
        *((k.arg or "", k.value) for k in node.keywords),
    ]
    for unit, value in named:
        amount = seconds(module, value)
        if amount is None or unit not in _UNITS:
            return None
        total += amount * _UNITS[unit]
    return total


def _computed(module: Module, node: ast.BinOp, retries: int | None) -> float | None:
    left, right = seconds(module, node.left, retries), seconds(module, node.right, retries)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Pow):
        if left <= 0:
            return None
        return left**right if left < _HUGE and abs(right) < 30 else _HUGE
    work = _WORK.get(type(node.op))
    if work is None or (isinstance(node.op, ast.Div | ast.FloorDiv) and right == 0):
        return None
    return work(left, right)


@lru_cache(maxsize=256)
def django_setting(project: Project, name: str) -> float | None:
    """The number that the project's settings files give a name, None unless they agree on one."""
    values = {
        said
        for path, facts in project.files.items()
        if "settings" in path
        for scope in (facts.assigns, *(c.attributes for c in facts.classes.values()))
        if name in scope
        for said in [literal(project.index.constant(facts, scope[name]))]
    }
    number = values.pop() if len(values) == 1 else None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return float(number)


def distance(module: Module, node: ast.expr) -> float | None:
    """Seconds from now of a point in time `now() + timedelta(hours=2)`, or None."""
    options = module.possible(node)
    if len(options) == 1:
        node = options[0]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for now, later in ((node.left, node.right), (node.right, node.left)):
            if _is_now(module, now):
                return seconds(module, later)
    return 0.0 if _is_now(module, node) else None


def _is_now(module: Module, node: ast.expr) -> bool:
    options = module.possible(node)
    node = options[0] if len(options) == 1 else node
    if not isinstance(node, ast.Call):
        return False
    name = module.name(node.func) or ""
    return name.rpartition(".")[2] in {"now", "utcnow"}


def spoken(amount: float) -> str:
    """A duration for people: "35 minutes", "2 hours", "6 days"."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if amount >= size:
            count = f"{amount / size:.1f}".removesuffix(".0")
            return f"{count} {unit}{'' if count == '1' else 's'}"
    return "1 second" if amount == 1 else f"{amount:g} seconds"
