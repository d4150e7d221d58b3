"""Parameters of a canvas as those of a flow and of what starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offcanvas.port.source import is_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from offcanvas.port.ir import Param


def listed(params: Sequence[Param], annotation: Callable[[str], str]) -> list[str]:
    """As in a signature; what has a default that only Celery's side knows is required.

    ``*args`` and ``**kwargs`` are a list and a dictionary, as parameters of a flow run are JSON.
    """
    required: list[str] = []
    optional: list[str] = []
    for param in params:
        type_ = annotation(param.annotation or "Any")
        if param.kind == "args":
            optional.append(f"{param.name}: list[{type_}] = []")
        elif param.kind == "kwargs":
            optional.append(f"{param.name}: dict[str, {type_}] = {{}}")
        elif param.default and is_literal(param.default):
            optional.append(f"{param.name}: {type_} = {param.default}")
        else:
            required.append(f"{param.name}: {type_}")
    return [*required, *optional]
