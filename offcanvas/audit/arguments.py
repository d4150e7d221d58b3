"""The arguments that a call gives to a task, as far as they are written."""

import ast
from collections.abc import Sequence
from itertools import takewhile


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The keyword argument of a call, or None when it is not given."""
    return next((k.value for k in call.keywords if k.arg == name), None)


def before_star(args: Sequence[ast.expr]) -> tuple[ast.expr, ...]:
    """The arguments that come before a `*args`: their places are known."""
    return tuple(takewhile(lambda a: not isinstance(a, ast.Starred), args))


def packed_as_written(
    node: ast.Call, skip: int
) -> tuple[tuple[ast.expr, ...], dict[str, ast.expr]]:
    """What of `apply_async((1, *more), {"a": 3, **rest})` is written out."""
    rest = node.args[skip:]
    packed = rest[0] if rest else keyword(node, "args")
    named = rest[1] if len(rest) > 1 else keyword(node, "kwargs")
    written = before_star(packed.elts) if isinstance(packed, ast.List | ast.Tuple) else ()
    if not isinstance(named, ast.Dict):
        return written, {}
    pairs = zip(named.keys, named.values, strict=True)
    return written, {str(k.value): v for k, v in pairs if isinstance(k, ast.Constant)}


def packed_arguments(
    node: ast.Call, skip: int
) -> tuple[tuple[ast.expr, ...] | None, dict[str, ast.expr] | None]:
    """The task's arguments of `apply_async((1, 2), {"a": 3})`: from literals only, else None."""
    spread = any(k.arg is None for k in node.keywords)
    rest = node.args[skip:]
    packed = rest[0] if rest else keyword(node, "args")
    named = rest[1] if len(rest) > 1 else keyword(node, "kwargs")
    args: tuple[ast.expr, ...] | None = None
    kwargs: dict[str, ast.expr] | None = None
    if packed is None or (isinstance(packed, ast.Constant) and packed.value is None):
        args = None if spread else ()
    elif isinstance(packed, ast.List | ast.Tuple):
        starred = any(isinstance(e, ast.Starred) for e in packed.elts)
        args = None if starred else tuple(packed.elts)
    if named is None or (isinstance(named, ast.Constant) and named.value is None):
        kwargs = None if spread else {}
    elif isinstance(named, ast.Dict):
        keys = [k.value if isinstance(k, ast.Constant) else None for k in named.keys]
        if all(isinstance(k, str) for k in keys):
            kwargs = {str(k): v for k, v in zip(keys, named.values, strict=True)}
    return args, kwargs
