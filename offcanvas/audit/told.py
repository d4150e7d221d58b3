"""What a value says when the program runs, as far as the source tells: literals and defaults."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from offcanvas.audit.facts import ModuleFacts
from offcanvas.audit.index import Index
from offcanvas.audit.values import Call, Const, Either, Member, Name, Seq, Value, Worked, worked

DEFAULT: Final = "it is only the default of something read at run time"
"""The doubt about a value that the environment may change."""
_CONVERTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "round": round,
}
_READERS: Final = ("environ.get", "getenv", "environ.setdefault", "env", "config", "getattr")
_UNITS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def told(
    index: Index, facts: ModuleFacts, value: Value | None, scope: str = "", depth: int = 10
) -> tuple[object, bool] | None:
    """(the literal a value is, whether that is certain), or None when the source does not tell.

    `int(os.environ.get("WAIT", 1800))` is (1800, False): the default, which may be changed.
    """
    if value is None or depth == 0:
        return None
    if isinstance(value, Const):
        return value.value, True
    if isinstance(value, Name):
        return _of_name(index, facts, value, scope, depth)
    if isinstance(value, Either):
        known = [t for v in value.options if (t := told(index, facts, v, scope, depth - 1))]
        return (known[-1][0], False) if known else None
    if isinstance(value, Worked):
        left = told(index, facts, value.left, scope, depth - 1)
        right = told(index, facts, value.right, scope, depth - 1)
        if left is None or right is None:
            return None
        result = worked(value.work, Const(left[0]), Const(right[0]))
        return (result.value, left[1] and right[1]) if isinstance(result, Const) else None
    return _of_call(index, facts, value, scope, depth) if isinstance(value, Call) else None


def _of_name(
    index: Index, facts: ModuleFacts, value: Name, scope: str, depth: int
) -> tuple[object, bool] | None:
    local = facts.local(scope, value.dotted) if scope else ()
    if len(local) == 1:
        return told(index, facts, local[0], scope, depth - 1)
    assigned = index.value(index.resolve(facts, value.dotted, scope))
    return told(index, *assigned, "", depth - 1) if assigned is not None else None


def _of_call(
    index: Index, facts: ModuleFacts, call: Call, scope: str, depth: int
) -> tuple[object, bool] | None:
    name = _written(call.func)
    if name in _CONVERTS and len(call.args) == 1:
        inner = told(index, facts, call.args[0], scope, depth - 1)
        try:
            return None if inner is None else (_CONVERTS[name](inner[0]), inner[1])
        except (TypeError, ValueError):
            return None
    if name.endswith("total_seconds") and isinstance(call.func, Member):
        return told(index, facts, call.func.base, scope, depth - 1)
    if name.rpartition(".")[2] == "timedelta" and not call.args:
        return _seconds(index, facts, call, scope, depth)
    if not (name.endswith(_READERS) or name.partition(".")[0] in {"env", "config"}):
        return None
    default = call.keyword("default") or _in_scheme(index, facts, call)
    place = 2 if name == "getattr" else 1
    if default is None and len(call.args) > place:
        default = call.args[place]
    inner = told(index, facts, default, scope, depth - 1)
    cast = call.keyword("cast")
    if inner is not None and isinstance(cast, Name) and cast.dotted in _CONVERTS:
        try:
            return _CONVERTS[cast.dotted](inner[0]), False
        except (TypeError, ValueError):
            return None
    return (inner[0], False) if inner is not None else None


def _in_scheme(index: Index, facts: ModuleFacts, call: Call) -> Value | None:
    """The default of `env("WAIT")` for `env = environ.Env(WAIT=(int, 1800))`."""
    if not (isinstance(call.func, Name) and call.args and isinstance(call.args[0], Const)):
        return None
    made = index.value(index.resolve(facts, call.func.dotted.partition(".")[0]))
    scheme = (
        made[1].keyword(str(call.args[0].value)) if made and isinstance(made[1], Call) else None
    )
    return scheme.items[1] if isinstance(scheme, Seq) and len(scheme.items) == 2 else None


def _seconds(
    index: Index, facts: ModuleFacts, call: Call, scope: str, depth: int
) -> tuple[object, bool] | None:
    total, certain = 0.0, True
    for unit, amount in call.keywords:
        said = told(index, facts, amount, scope, depth - 1)
        if unit not in _UNITS or said is None or not isinstance(said[0], int | float):
            return None
        total, certain = total + said[0] * _UNITS[unit], certain and said[1]
    return total, certain


def _written(func: Value) -> str:
    if isinstance(func, Name):
        return func.dotted
    return f"{_written(func.base)}.{func.attr}" if isinstance(func, Member) else ""
