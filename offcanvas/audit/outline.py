"""Canvases as far as the source tells them: chains, groups and chords with their members.

An outline is not a canvas that could run. It is what a reader of the source can say about one,
with "unknown" at every place where the members come from somewhere that cannot be followed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from offcanvas.audit.tasks import Task

Kind: TypeAlias = Literal[
    "task", "chain", "group", "chord", "map", "starmap", "chunks", "choice", "unknown"
]


@dataclass(frozen=True)
class Outline:
    """A signature or canvas as written.

    kind: "task" for one signature; "choice" for what is chosen when it runs, a builder (`group if p
    else chain`) or one of several signatures. name: the task's registered name, or what is written
    when the task cannot be resolved. parts: members of a chain or group, the header of a chord, the
    members of a choice of builders, the signatures of another choice. body: of a
    chord, None when it has none yet. immutable: `.si`. args, kwargs: as given to the signature,
    None when they cannot be told. repeated: one member for each item of a loop. optional: added
    under a condition, so that it may not be there. errbacks: whether it has `on_error` or
    `link_error`. options: names of the execution options that it is given. pipe: built with `|`.
    why: of an "unknown", why it cannot be told; of a choice, between what.
    """

    kind: Kind
    node: ast.expr = field(compare=False, repr=False)
    line: int
    parts: tuple["Outline", ...] = ()
    body: "Outline | None" = None
    task: Task | None = None
    name: str = ""
    immutable: bool = False
    args: tuple[ast.expr, ...] | None = ()
    kwargs: dict[str, ast.expr] | None = field(default_factory=dict)
    repeated: bool = False
    optional: bool = False
    errbacks: bool = False
    options: tuple[str, ...] = ()
    pipe: bool = False
    why: str = ""
    merged: tuple[ast.expr, ...] = field(default=(), compare=False, repr=False)
    """Expressions whose members were taken in: the group that is a chord's header."""

    def walk(self) -> Iterator["Outline"]:
        """This outline and everything in it, in the order of writing."""
        yield self
        for part in self.parts:
            yield from part.walk()
        if self.body is not None:
            yield from self.body.walk()

    @property
    def is_canvas(self) -> bool:
        """Whether it is more than one signature."""
        return self.kind not in {"task", "unknown"}
