"""The public API as a user writes it. Nothing runs this; a wrong type in the API fails `make lint`.

An ignored error below is one that has to be there: mypy reports an ignore that is not needed.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, assert_type

from celery import Celery, chord

import offcanvas
from offcanvas import (
    CanvasWarning,
    EngineError,
    OffcanvasError,
    Outcome,
    Report,
    Rerouting,
    UsageError,
    check,
    errors,
    lift,
    reroute,
    run,
    show,
)
from offcanvas.canvas.nodes import Node

app = Celery("shop")


@app.task
def double(price: int) -> int:
    return 2 * price


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def report(width: int = 2) -> Mapping[str, Any]:
    return chord([double.s(price) for price in range(width)], total.s())


def drawn() -> None:
    assert_type(show(report()), str)
    assert_type(show(report(), format="mermaid"), str)
    assert_type(lift(report()), Node)
    show("shop:report")  # type: ignore[arg-type]  # the command takes text, the function a canvas


def ran() -> None:
    outcome = run(report(), on="temporal", args=(1,), kwargs={"y": 2}, timeout=60.0, queue="fast")
    assert_type(outcome, Outcome)
    assert_type(outcome.state, str)
    assert_type(outcome.error, BaseException | None)
    assert_type(outcome.others, tuple[BaseException, ...])
    assert_type(outcome.complete, bool)
    run(report(), "temporal")  # type: ignore[call-arg]  # engines are named, not placed
    run(report(), app="shop")  # type: ignore[arg-type]  # an app, not its name


def checked() -> None:
    found = check(report(), on=["memory", "prefect"], strict_celery=True, app=app)
    assert_type(found, Report)
    assert_type(found.same, bool)
    check(report(), on="memory")
    check(report(), queue="fast")  # type: ignore[call-arg]  # compared is the canvas as it is


def moved() -> None:
    with reroute(app, to="temporal", only={"shop.double"}, queues={"fast": "task-queue"}) as switch:
        assert_type(switch, Rerouting)
    opened: AbstractContextManager[Rerouting] = reroute(app, to="prefect")
    with opened:
        report()
    reroute(app)  # type: ignore[call-arg]  # there is no engine by default


def failed() -> None:
    try:
        run(report())
    except UsageError as error:
        wanted: OffcanvasError = error
    except EngineError as error:
        wanted = error
    else:
        return
    assert_type(wanted.args, tuple[Any, ...])
    missing: type[UsageError] = errors.MissingExtra
    warning: type[UserWarning] = CanvasWarning
    print(missing, warning)  # noqa: T201  # so that both are used
    assert_type(offcanvas.__version__, str)
    print(offcanvas.ran)  # type: ignore[attr-defined]  # noqa: T201  # there is no such name
