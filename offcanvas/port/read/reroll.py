"""A canvas that is built already: members that differ in their arguments only become a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from offcanvas.canvas import nodes
from offcanvas.port import names as naming
from offcanvas.port.ir import (
    Each,
    Errback,
    Join,
    Node,
    Options,
    Param,
    Part,
    Place,
    Side,
    Spread,
    Step,
)
from offcanvas.port.read import callbacks
from offcanvas.port.read.values import NotReadError, sequence

if TYPE_CHECKING:
    from offcanvas.audit.tasks import Task

#: So many members that differ in their arguments only are a loop.
ENOUGH: Final = 3
_PLAIN: Final = ("countdown", "queue", "priority", "time_limit", "soft_time_limit", "expires")


@dataclass
class Reroll:
    """Makes the canvas of one object.

    tasks: the audit's tasks by the name that they are registered under. used: those that the canvas
    calls. values: of each input that was made of a loop, what was in the object.
    """

    tasks: Mapping[str, Task]
    place: Place
    used: dict[str, Task] = field(default_factory=dict)
    params: list[Param] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)

    def node(self, given: nodes.Node) -> Node:
        """The canvas of a node.

        Raises:
            NotReadError: a task is not one of the project's.
        """
        match given:
            case nodes.Task():
                made: Node = self._step(given)
            case nodes.Chain(steps=steps):
                made = sequence([self.node(step) for step in steps], self.place, piped=False)
            case nodes.Group(members=members):
                made = Side(parts=self._members(members), place=self.place)
            case nodes.Chord(header=header, body=nodes.Node() as body):
                side = Side(parts=self._members(header.members), place=self.place)
                made = Join(header=side, body=self.node(body), place=self.place)
            case nodes.Map(task=task, items=items) | nodes.Starmap(task=task, items=items):
                word = "map" if isinstance(given, nodes.Map) else "starmap"
                name = self._known(task.name).name
                made = Spread(word=word, task=name, items=repr(list(items)), place=self.place)  # type: ignore[arg-type]  # one of the two
            case nodes.Chunks(task=task, items=items, size=size):
                name = self._known(task.name).name
                made = Spread(
                    word="chunks",
                    task=name,
                    items=repr(list(items)),
                    size=str(size),
                    place=self.place,
                )
            case _:
                raise NotReadError(
                    "PORT215", self.place.line, f"{type(given).__name__} in an object"
                )
        return self._with(made, given)

    def _known(self, name: str) -> Task:
        found = self.tasks.get(name)
        if found is None:
            why = f"the task {name} is none of the project's"
            raise NotReadError("PORT214", self.place.line, why)
        self.used.setdefault(found.name, found)
        return found

    def _step(self, given: nodes.Task) -> Step:
        options = given.options
        plain = {
            name: "" if (value := getattr(options, name)) is None else repr(value)
            for name in (
                "countdown",
                "queue",
                "priority",
                "time_limit",
                "soft_time_limit",
                "expires",
            )
        }
        return Step(
            task=self._known(given.name).name,
            args=tuple(map(repr, given.args)),
            kwargs=tuple((name, repr(value)) for name, value in given.kwargs),
            immutable=given.immutable,
            options=Options(**plain, ignore_result=bool(options.ignore_result)),
            place=self.place,
        )

    def _with(self, made: Node, given: nodes.Node) -> Node:
        """The callbacks of a signature; those of a chord's body and of members are theirs."""
        if not isinstance(given, nodes.Task):
            return made
        for link in given.options.link:
            made = callbacks.with_link(made, self.node(link))
        for errback in given.options.link_error:
            if not isinstance(errback, nodes.Task):
                raise NotReadError("PORT215", self.place.line, "an errback that is a canvas")
            step = self._step(errback)
            task = self.used[step.task]
            style = callbacks.style_of(task, task.params, step)
            made = callbacks.with_errback(made, Errback(step, style))  # type: ignore[arg-type]  # one of the three
        return made

    def _members(self, members: Sequence[nodes.Node]) -> tuple[Part, ...]:
        """Runs of members that differ in arguments only as loops, the others one by one."""
        parts: list[Part] = []
        run: list[nodes.Task] = []
        for member in [*members, None]:
            if isinstance(member, nodes.Task) and (not run or _alike(run[0], member)):
                run.append(member)
                continue
            parts += self._run(run)
            run = [member] if isinstance(member, nodes.Task) else []
            if member is not None and not run:
                parts.append(self.node(member))
        return tuple(parts)

    def _run(self, run: Sequence[nodes.Task]) -> list[Part]:
        differs = (
            [i for i in range(len(run[0].args)) if len({repr(t.args[i]) for t in run}) > 1]
            if run
            else []
        )
        if len(run) < ENOUGH or not differs:
            return [self.node(task) for task in run]
        task = self._known(run[0].name)
        positional = [p.name for p in task.params.items] if task.params is not None else []
        fed = (1 if task.bound else 0) + max(
            0, len(positional) - int(task.bound) - len(run[0].args)
        )
        names = [
            naming.identifier(positional[i + fed] if i + fed < len(positional) else f"value_{i}")
            for i in differs
        ]
        over = naming.unused(naming.plural(names[-1]), self.values)
        values = [[t.args[i] for i in differs] for t in run]
        self.values[over] = [one[0] for one in values] if len(differs) == 1 else values
        self.params.append(Param(over, "list[Any]"))
        step = self.node(run[0])
        if not isinstance(step, Step):
            raise TypeError("a task is a step")
        args = list(step.args)
        for place, name in zip(differs, names, strict=True):
            args[place] = name
        return [Each(", ".join(names), over, (replace(step, args=tuple(args)),), self.place)]


def _alike(one: nodes.Task, other: nodes.Task) -> bool:
    """Whether two members differ in the values of their positional arguments at most."""
    same = (one.name, one.kwargs, one.immutable, len(one.args)) == (
        other.name, other.kwargs, other.immutable, len(other.args),
    )  # fmt: skip
    plain = not (one.options.link or one.options.link_error)
    return (
        same
        and plain
        and one.options.countdown == other.options.countdown
        and not (other.options.link or other.options.link_error)
    )
