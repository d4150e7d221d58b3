"""sends.py: what bodies send as they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offcanvas.port import names as naming

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.port.script import Script

_HEAD = '''"""What bodies send as they go on: each starts a run of its own and waits for nothing."""

from typing import Any
'''
_TEMPORAL = '''

def send_{function}(*args: Any, **kwargs: Any) -> None:
    """`{function}.delay` was called here."""
    from {package} import inputs, starter  # the workflows import the activities

    starter.in_sync(starter.start_{name}({given}))
'''
_PREFECT = '''

def send_{function}(*args: Any, **kwargs: Any) -> None:
    """`{function}.delay` was called here."""
    from {package} import starter

    starter.start_{name}(*args, **kwargs)
'''


def sends(scripts: Sequence[Script], package: str, shapes: Mapping[str, str] | None = None) -> str:
    """The module, or "" when nothing is sent; ``shapes`` are inputs of Temporal's by canvas."""
    text = ""
    for script in scripts:
        canvas = script.canvas
        if not canvas.lone:
            continue
        function = canvas.function.rpartition(".")[2]
        name = naming.snake(canvas.name)
        if shapes is None:
            text += _PREFECT.format(function=function, name=name, package=package)
        else:
            given = f"inputs.{shapes[canvas.name]}(*args, **kwargs)" if canvas.params else ""
            text += _TEMPORAL.format(function=function, name=name, package=package, given=given)
    return _HEAD + text if text else ""
