"""Cases of the emitted tests against Celery: how each canvas is sent there, from its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from offcanvas.port.ir import Note
    from offcanvas.port.script import Script


@dataclass(frozen=True, slots=True)
class Case:
    """A sample of a canvas as source: sent to Celery, and as keyword arguments.

    imported: the statement that makes the canvas's module known. differs: why Celery's result is
    another one, or "".
    """

    script: Script
    sent: str
    given: str
    imported: str
    differs: str

    def param(self, *values: str) -> str:
        """The entry of the emitted list of cases."""
        said = ", ".join(values)
        if self.differs:
            said = f"{said}, marks=pytest.mark.xfail(reason={self.differs!r})"
        return f"    pytest.param({said}, id={self.script.canvas.name!r}),"


#: Celery's result is another one, and says so.
_DIFFERING: Final = ("PORT145", "PORT146", "PORT124")


def cases(
    scripts: Sequence[Script],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    notes: Sequence[Note],
) -> list[Case]:
    """The samples of the canvases that a caller can send; ``samples`` are by canvas name."""
    differing = {note.about: note.code for note in notes if note.code in _DIFFERING}
    found: list[Case] = []
    for script in scripts:
        canvas = script.canvas
        if canvas.how not in {"returned", "replaces"} or not canvas.params:
            continue
        last = canvas.module.rpartition(".")[2]
        imported = f'{last}: Any = importlib.import_module("{canvas.module}")'
        for sample in samples.get(canvas.name, ()):
            given = ", ".join(f"{name}={value!r}" for name, value in sample.items())
            sent = f"{last}.{canvas.function}({given}).apply_async()"
            if canvas.how == "replaces":
                sent = f"{last}.{canvas.function}.delay({given})"
            found.append(Case(script, sent, given, imported, differing.get(canvas.name, "")))
    return found
