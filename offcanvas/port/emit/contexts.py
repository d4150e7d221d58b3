"""context.py: what the class of Celery's tasks had around each body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offcanvas.port.bodies import absolute
from offcanvas.port.source import renamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.ir import Context

_HEAD = '''"""What the class of Celery's tasks had around each body."""

from collections.abc import Callable
from functools import {cache}wraps
{lock}from typing import Any, ParamSpec, TypeVar
'''
_TYPES = """
P = ParamSpec("P")
R = TypeVar("R")
"""
_ONCE = '''

def once(make: Callable[[], R]) -> Callable[[], R]:
    """Made at the first call, and by one thread alone."""
    made, making = cache(make), RLock()

    def get() -> R:
        with making:
            return made()

    return get
'''
_MADE = '''

@once
def {name}() -> Any:
    """As `{owner}` was made with it: once in each process."""
    return {value}
'''
_WRAP = '''

def {name}(step: Callable[P, R]) -> Callable[P, R]:
    """As in `{owner}`: each call in a context of its own."""

    @wraps(step)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with {items}:
            return step(*args, **kwargs)

    return inside
'''


def name_of(number: int) -> str:
    """What the decorator of one of the contexts is called."""
    return "in_context" if not number else f"in_context_{number + 1}"


def contexts(parts: Parts, found: Sequence[Context]) -> str:
    """The module, before it is formatted."""
    imports: set[str] = set()
    texts: list[str] = []
    for number, one in enumerate(found):
        names: dict[str, str] = {}
        end = f"_{number + 1}" if number else ""
        for name, path in one.globals:
            module = parts.module(path)
            here = parts.project.index.name_of(module.facts)
            known = f"{name}{end}"
            target = module.facts.imports.get(name)
            dotted = f"{here}.{name}" if target is None else absolute(target, module, parts.project)
            package, _, last = dotted.rpartition(".")
            said = f"from {package} import {last}" if package else f"import {dotted}"
            imports.add(said if last == known else f"{said} as {known}")
            names[name] = known
        for name, value in one.locals:
            owner = one.owner
            made = _MADE.format(name=f"{name}{end}", owner=owner, value=renamed(value, names))
            texts.append(made)
            names[name] = f"{name}{end}()"
        items = ", ".join(renamed(text, names) for text in one.items)
        texts.append(_WRAP.format(name=name_of(number), owner=one.owner, items=items))
    apart = any(one.locals for one in found)
    once = [_ONCE] if apart else []
    lock = "from threading import RLock\n" if apart else ""
    head = _HEAD.format(cache="cache, " if apart else "", lock=lock)
    return "\n".join([head, *sorted(imports), _TYPES, *once, *texts])
