"""`offcanvas preflight`: what a canvas will cost on another engine, before it runs there."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offcanvas.commands.parameters import App, Arguments, Target
from offcanvas.printable import say

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node
    from offcanvas.preflight.answer import Figure
    from offcanvas.preflight.sizes import Sizes


class To(StrEnum):
    """Engines whose costs are known."""

    TEMPORAL = "temporal"
    PREFECT = "prefect"


class Format(StrEnum):
    """How to print the answer."""

    TEXT = "text"
    JSON = "json"


def preflight(
    target: Target,
    to: Annotated[To, typer.Option("--to", help="Where it is to run.")],
    app: App = None,
    arg: Arguments = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=N",
            help="So many members in the group of this task, or this for a parameter of the "
            "function (a list is repeated to N items). Repeat for more.",
        ),
    ] = None,
    bytes_: Annotated[
        list[str] | None,
        typer.Option("--bytes", metavar="TASK.result=N", help="Bytes of a result, as JSON."),
    ] = None,
    per_day: Annotated[
        int, typer.Option(min=0, max=10**9, metavar="N", help="Runs a day, for the bill.")
    ] = 0,
    price: Annotated[
        float | None,
        typer.Option(min=0, metavar="DOLLARS", help="For a million actions of Temporal Cloud."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """Say what the canvas at TARGET will cost on an engine, and up to which size it fits.

    No task is run. The function at TARGET is called, as by show, and again for other sizes.

    Exits with 0 if everything fits, 1 if there is something to warn of or that a server refuses,
    2 if it could not be told.
    """
    from offcanvas.preflight.answer import Verdict, answered
    from offcanvas.preflight.report import as_json, as_text
    from offcanvas.preflight.sizes import groups_of, read_sizes

    sizes = read_sizes(size or (), bytes_ or ())
    canvas = _Canvas(target, tuple(arg or ()), app, sizes)
    figures = _figures(to, canvas.app, sizes, per_day, price)
    here = canvas.plan(sizes.widths)
    sizes.check(here)
    # Without a word from the user, the widest group: that one is what grows.
    widest = sorted(groups_of(here).items(), key=lambda one: -one[1])[:1]
    grown = sizes.widths or {name: width for name, width in widest if width > 1}
    answer = answered(target, to, canvas.plan, figures, sizes.widths, grown)
    say(as_json(answer) if format_ is Format.JSON else as_text(answer), nl=False)
    if answer.verdict is not Verdict.FITS:
        raise typer.Exit(1)


class _Canvas:
    """The canvas at a target, made anew for other sizes."""

    def __init__(
        self, target: str, arguments: tuple[str, ...], app: str | None, sizes: "Sizes"
    ) -> None:
        from offcanvas._run import app_of
        from offcanvas.commands.target import canvas, load, parameters_of, use_app

        self._target, self._arguments, self._app = target, arguments, app
        use_app(app)
        names = parameters_of(load(target))
        self._parameters = [name for name in sizes.widths if name in names]
        given = {name: sizes.widths[name] for name in self._parameters}
        self._signature = canvas(target, arguments, app=app, sized=given)
        self.app: Celery = app_of(self._signature)

    def plan(self, widths: Mapping[str, int]) -> "Node":
        """The frozen plan with groups of these widths."""
        from offcanvas.canvas.lift import lift
        from offcanvas.celery_app.memory_backend import memory_backend
        from offcanvas.celery_app.planning import Submission, plan
        from offcanvas.engines.prepare import planning_errors, sent_plan
        from offcanvas.errors import UsageError
        from offcanvas.preflight.sizes import widened

        signature: Any = self._signature
        given = {name: widths[name] for name in self._parameters if name in widths}
        if given:
            from offcanvas.commands.target import canvas

            signature = canvas(self._target, self._arguments, app=self._app, sized=given)
        others = {name: width for name, width in widths.items() if name not in given}
        node = widened(lift(signature), others)
        with planning_errors(self.app, node):
            planned = plan(Submission(self.app, signature), node)
        # Results of a group subscribe to the app's own backend as soon as they are made.
        with memory_backend(self.app):
            frozen = sent_plan(planned).plan
        if frozen is None:
            raise UsageError(f"{self._target}: the canvas is empty; there is nothing to reckon")
        return frozen


def _figures(
    to: To, app: "Celery", sizes: "Sizes", per_day: int, price: float | None
) -> "Callable[[Node], Sequence[Figure]]":
    from offcanvas.preflight import answer

    if to is To.PREFECT:
        from offcanvas.preflight import prefect

        return lambda plan: answer.of_prefect(
            prefect.rehearse(app, plan, sizes.of), per_day=per_day
        )
    from offcanvas.preflight import temporal

    return lambda plan: answer.of_temporal(
        temporal.rehearse(app, plan, sizes.of), per_day=per_day, price=price
    )
