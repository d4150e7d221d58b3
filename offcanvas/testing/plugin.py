"""A pytest plugin: your own suite holds your canvases to Celery's behaviour on other engines.

    def test_the_report(assert_same_on, canvas_engines):
        assert_same_on(canvas_engines)(report(width=3))

``canvas_engines`` are the names given with ``--offcanvas-on`` (repeat it), or in the ini file as
``offcanvas_on``; without either, every engine that is installed. ``assert_same_on(names)`` gives a
function that takes a canvas with arguments, runs it on a real Celery worker and on each engine,
and fails with what differs. Servers and workers are private, come up when they are first needed
and stay until the session ends. The tasks are really run, once on each.

Nothing but pytest is imported until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.checking.watch import Watch

# Assertions of the engine authors' suite say what they have compared.
pytest.register_assert_rewrite("offcanvas.testing.suite")

#: What ``assert_same_on(names)`` returns.
Same = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--offcanvas-on`` and its ini setting."""
    about = "engine to compare canvases with Celery on; repeat for more (default: all installed)"
    group = parser.getgroup("offcanvas")
    group.addoption("--offcanvas-on", action="append", metavar="ENGINE", help=about)
    parser.addini("offcanvas_on", about, type="args", default=[])


@pytest.fixture(scope="session")
def canvas_engines(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """Names of the engines to compare with Celery."""
    from offcanvas.checking.report import BASELINE
    from offcanvas.engines.registry import engine, specs
    from offcanvas.errors import MissingExtra

    named = pytestconfig.getoption("offcanvas_on") or pytestconfig.getini("offcanvas_on")
    if named:
        return tuple(dict.fromkeys(named))
    there: list[str] = []
    for name in specs():
        try:
            engine(name)
        except MissingExtra:
            continue
        there.append(name)
    return tuple(name for name in there if name != BASELINE)


@pytest.fixture(scope="session")
def _offcanvas_watches() -> Iterator[_Watches]:
    with ExitStack() as stack:
        yield _Watches(stack)


class _Watches:
    """Engines with their servers up, for each app; started when they are asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[tuple[str, int], Watch] = {}

    def on(self, name: str, app: Celery) -> Watch:
        """The engine called ``name``, for ``app``."""
        from offcanvas.checking.watch import watch
        from offcanvas.engines.registry import addresses, engine
        from offcanvas.servers.environment import private_only

        key = (name, id(app))
        if key not in self._open:
            with private_only(*addresses()):
                self._open[key] = self._stack.enter_context(watch(engine(name), app))
        return self._open[key]


@pytest.fixture
def assert_same_on(_offcanvas_watches: _Watches) -> Callable[[Sequence[str] | str], Same]:
    """``assert_same_on(names)(canvas, *args, strict_celery=False, timeout=60, **kwargs)``.

    Raises AssertionError with all that differs; ``offcanvas.errors.UsageError`` for a canvas that
    an engine cannot run, before anything is started.
    """

    def on(names: Sequence[str] | str) -> Same:
        chosen = (names,) if isinstance(names, str) else tuple(names)

        def same(
            canvas: Mapping[str, Any],
            *args: Any,
            strict_celery: bool = False,
            timeout: float = 60.0,
            **kwargs: Any,
        ) -> None:
            __tracebackhide__ = True
            from offcanvas._run import app_of
            from offcanvas.celery_app.planning import Submission
            from offcanvas.checking.compare import compare_on, plan
            from offcanvas.checking.report import as_text

            app = app_of(canvas)
            wanted = Submission(app, canvas, args, kwargs, strict=strict_celery, timeout=timeout)
            planned = plan(wanted, chosen)
            report = compare_on(wanted, planned, lambda one: _offcanvas_watches.on(one.name, app))
            if not report.same:
                pytest.fail(as_text(report), pytrace=False)

        return same

    return on
