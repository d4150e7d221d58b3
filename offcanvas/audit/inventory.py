"""What a project holds, without its syntax trees: canvases as drawn, and counts of what is used."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.names import PRIMITIVES, RESULT, SIGNATURE, TASK
from offcanvas.audit.outline import Kind, Outline

_WAITS: Final = frozenset(f"{RESULT}.{m}" for m in ("get", "join", "join_native", "wait"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """An outline without its syntax tree; the fields mean what they mean in `outline.Outline`."""

    kind: Kind
    line: int
    name: str
    parts: tuple["Drawn", ...]
    body: "Drawn | None"
    immutable: bool
    repeated: bool
    errbacks: bool
    why: str
    options: tuple[str, ...] = ()
    optional: bool = False

    def walk(self) -> Iterator["Drawn"]:
        """This node and everything below it, in the order of writing."""
        yield self
        for part in self.parts:
            yield from part.walk()
        if self.body is not None:
            yield from self.body.walk()


@dataclass(frozen=True, slots=True)
class CanvasPlace:
    """A canvas and where it is written; function is "" at the top of a file.

    inside: what a task does with it, in the words of the support tables ("self.replace",
    "self.add_to_chord", "canvases started inside"); "" outside of tasks.
    """

    path: str
    line: int
    function: str
    task: str
    canvas: Drawn
    inside: str = ""


@dataclass(frozen=True, slots=True)
class FileInventory:
    """One file's share. `uses` counts chord, group, chain, pipe, starmap, chunks, map, ..."""

    canvases: tuple[CanvasPlace, ...]
    uses: Counter[str]
    callers: Counter[str]
    """Registered task name -> how many call sites this file has."""


def take_stock(module: Module) -> FileInventory:
    """Count and draw what one file uses."""
    uses: Counter[str] = Counter()
    callers: Counter[str] = Counter()
    for send in module.sends:
        uses[send.how] += 1
        if send.name is not None:
            callers[send.name] += 1
        for option in ("countdown", "eta", "link", "link_error"):
            if option in send.options:
                uses[option] += 1
    for call in module.walk(ast.Call):
        name = module.name(call.func)
        for primitive in module.names(call.func) & PRIMITIVES:
            uses[primitive.rpartition(".")[2]] += 1
        if name == f"{SIGNATURE}.on_error":
            uses["on_error"] += 1
        elif name == "django.db.transaction.on_commit":
            uses["on_commit"] += 1
        elif name in _WAITS and module.task_around(call) is not None:
            uses["wait in task"] += 1
    for pipe in module.walk(ast.BinOp):
        if isinstance(pipe.op, ast.BitOr) and module.instance(pipe) == SIGNATURE:
            uses["pipe"] += 1
    for grown in module.walk(ast.AugAssign):
        if isinstance(grown.op, ast.BitOr) and module.instance(grown.value) == SIGNATURE:
            uses["pipe"] += 1
    canvases = []
    for outline in module.canvases:
        function = module.function(outline.node)
        task = module.task_around(outline.node)
        canvases.append(
            CanvasPlace(
                module.path,
                outline.line,
                function.qualname if function is not None else "",
                task.name if task is not None else "",
                draw(outline),
                _inside(module, outline.node) if task is not None else "",
            )
        )
    return FileInventory(tuple(canvases), uses, callers)


def _inside(module: Module, node: ast.expr) -> str:
    for call in module.around(node):
        name = module.name(call.func) if isinstance(call, ast.Call) else None
        if name in {f"{TASK}.replace", f"{TASK}.add_to_chord"}:
            return f"self.{name.rpartition('.')[2]}"
    return "canvases started inside"


def draw(outline: Outline) -> Drawn:
    """The outline without its syntax tree."""
    return Drawn(
        kind=outline.kind,
        line=outline.line,
        name=outline.name,
        parts=tuple(draw(part) for part in outline.parts),
        body=draw(outline.body) if outline.body is not None else None,
        immutable=outline.immutable,
        repeated=outline.repeated,
        errbacks=outline.errbacks,
        why=outline.why,
        options=outline.options,
        optional=outline.optional and not outline.repeated,
    )
