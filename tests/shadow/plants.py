"""Faults as they are made in ports, each planted by a change of the emitted text."""

import ast
import importlib
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from offcanvas.engines.temporal.connection import connect
from offcanvas.shadow.bodies import Bodies
from offcanvas.shadow.fences import Fences
from offcanvas.shadow.kit import replay_kit
from offcanvas.shadow.masks import Masks
from offcanvas.shadow.recording import read
from offcanvas.shadow.replay import candidate, replay

PURE = ("stations", "open_orders")


@dataclass(frozen=True)
class Plant:
    """A fault, the text that it changes, and the kinds of difference that may tell of it."""

    name: str
    file: str
    old: str
    new: str
    kinds: frozenset[str]


def _plant(name, file, old, new, *kinds):
    return Plant(name, file, old, new, frozenset(kinds))


_STORE = "return await workflow.execute_activity(do.store, numbers, **policies.STORE)"
PLANTS = (
    _plant("dropped member", "workflows.py", "for station in given.stations",
           "for station in given.stations[:-1]", "missing call"),
    _plant("added member", "workflows.py", "for station in given.stations",
           'for station in [*given.stations, "west"]', "extra call", "other arguments"),
    _plant("swapped arguments", "workflows.py", "GenerateRollInput(given.run_id, station)",
           "GenerateRollInput(station, given.run_id)", "other arguments"),
    _plant("missing errback", "workflows.py", "if not is_cancelled_exception(failure):",
           "if failure is None:", "missing errback"),
    _plant("errback after a success", "workflows.py", _STORE,
           'await workflow.execute_activity(do.alarm, AlarmInput("a", "b"), **policies.ONCE)\n'
           f"            {_STORE}", "extra errback"),
    _plant("one attempt too many", "policies.py", "maximum_attempts=1)", "maximum_attempts=2)",
           "extra attempt"),
    _plant("one attempt too few", "policies.py", "maximum_attempts=4", "maximum_attempts=2",
           "missing attempt"),
    _plant("another constant", "workflows.py", 'sep=";"', 'sep=","', "other arguments"),
    _plant("dropped step", "workflows.py", "if order.gift:", "if order is None:", "missing call"),
    _plant("condition turned round", "workflows.py", "if order.gift:", "if not order.gift:",
           "other arguments", "missing call", "extra call"),
    _plant("results in another order", "workflows.py",
           "return await all_of(self._one_order(order) for order in given.orders)",
           "return (await all_of(self._one_order(order) for order in given.orders))[::-1]",
           "other arguments"),
    _plant("swallowed failure", "workflows.py",
           "            raise\n\n\n@workflow.defn\nclass RollsStations",
           "            return 0\n\n\n@workflow.defn\nclass RollsStations", "outcome"),
)  # fmt: skip


_ROLLS, _FEED, _NIGHTLY = "shop.tasks:rolls", "shop.tasks:import_feed", "shop.tasks:nightly"
_SUBMIT = "do.generate_roll.submit(run_id, station)"
_LABELS = "all_of(one_order.submit(order) for order in orders)"
#: The same in the port to Prefect; with the root in which each is to be found.
PREFECT = (
    (_ROLLS, _plant("dropped member", "flows.py", "for station in stations)",
                    "for station in stations[:-1])", "missing call")),
    (_ROLLS, _plant("added member", "flows.py", "for station in stations)",
                    'for station in [*stations, "west"])', "extra call", "other arguments")),
    (_ROLLS, _plant("swapped arguments", "flows.py", _SUBMIT,
                    "do.generate_roll.submit(station, run_id)", "other arguments")),
    (_FEED, _plant("missing errback", "flows.py",
                   "logged(do.alarm, type(error).__name__, str(error))", "pass",
                   "missing errback")),
    (_FEED, _plant("errback after a success", "flows.py", "return do.store(numbers)",
                   'do.alarm("a", "b")\n        return do.store(numbers)', "extra errback")),
    (_ROLLS, _plant("one attempt too many", "tasks.py", "@task(**STEP)\ndef generate_roll",
                    "@task(**STEP, retries=1)\ndef generate_roll", "extra attempt")),
    (_FEED, _plant("one attempt too few", "tasks.py", "retries=3,\n", "retries=1,\n",
                   "missing attempt")),
    (_FEED, _plant("another constant", "flows.py", 'sep=";"', 'sep=","', "other arguments")),
    (_NIGHTLY, _plant("dropped step", "flows.py", "if order.gift:", "if order is None:",
                      "missing call")),
    (_NIGHTLY, _plant("condition turned round", "flows.py", "if order.gift:",
                      "if not order.gift:", "other arguments", "missing call", "extra call")),
    (_NIGHTLY, _plant("results in another order", "flows.py", _LABELS, f"{_LABELS}[::-1]",
                      "other arguments")),
    (_ROLLS, _plant("swallowed failure", "flows.py",
                    "logged(do.record_error, run_id, str(error))\n        raise",
                    "logged(do.record_error, run_id, str(error))\n        return 0", "outcome")),
)  # fmt: skip
#: Faults in the app's own canvases, made after the recording: what the kit would run now.
KIT = (
    (_ROLLS, _plant("dropped member", "tasks.py", "for station in rows.stations(run_id))",
                    "for station in rows.stations(run_id)[:-1])", "missing call")),
    (_ROLLS, _plant("swapped arguments", "tasks.py", "generate_roll.si(run_id, station)",
                    "generate_roll.si(station, run_id)", "other arguments")),
    (_FEED, _plant("missing errback", "tasks.py", ", store.s()).on_error(alarm.s())",
                   ", store.s())", "missing errback")),
    (_FEED, _plant("another constant", "tasks.py", 'sep=";"', 'sep=","', "other arguments")),
    (_NIGHTLY, _plant("condition turned round", "tasks.py", "if order.gift:",
                      "if not order.gift:", "other arguments", "missing call", "extra call")),
)  # fmt: skip


def packages(folder, plants=PLANTS, of="shop_temporal"):
    """The port as it was emitted, and one for each fault."""
    made = {"": of}
    for number, plant in enumerate(plants):
        name = f"{of}_planted{number}"
        ignored = shutil.ignore_patterns("tests")
        shutil.copytree(folder / of, folder / name, ignore=ignored, dirs_exist_ok=True)
        for path in (folder / name).glob("*.py"):
            path.write_text(path.read_text().replace(of, name))
        path = folder / name / plant.file
        text = path.read_text()
        assert plant.old in text, plant.name
        path.write_text(text.replace(plant.old, plant.new))
        made[plant.name] = name
    return made


def _app(folder):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module("shop.tasks").app


def _roots(folder, times, only):
    whole = [one for one in read(folder / "recording") if one.is_complete]
    # A group inside of a group, which Celery turns round, is a known difference: see the page.
    kept = [one for one in whole if one.name != "shop.tasks:previews" and only in one.name]
    return [replace(one, root=f"{one.root}-{uuid4().hex}") for _ in range(times) for one in kept]


def _names(app):
    return {name.rpartition(".")[2]: name for name in app.tasks}


async def replayed(address, folder, package, times=1):
    """What is found in a port to Temporal, on the recording of a folder, so many times over."""
    app = _app(folder)
    client = await connect(address)
    found = candidate(package)
    return await replay(client, found, _roots(folder, times, ""), _names(app), Masks(), PURE)


def replayed_on_prefect(url, folder, package, times=1, only=""):
    """The same in a port to Prefect."""
    from offcanvas.shadow import prefect

    app = _app(folder)
    done, _ = prefect.replay_prefect(
        url, prefect.candidate(package), _roots(folder, times, only), _names(app), Masks(), PURE,
        Bodies(app, Fences({}, {})),
    )  # fmt: skip
    return done


def replayed_by_kit(folder, times=1, only=""):
    """The same in the app itself, as it is now."""
    app = _app(folder)
    bodies = Bodies(app, Fences({}, {}))
    done, _ = replay_kit(app, _roots(folder, times, only), Masks(), (), bodies)
    return done


@contextmanager
def planted(folder, plant):
    """The app's module with a fault, in this process, as long as this lasts."""
    app = _app(folder)
    module = importlib.import_module("shop.tasks")
    path = folder / "shop" / plant.file
    text = path.read_text()
    assert plant.old in text, plant.name
    # The functions that make canvases, and not the tasks, are those of the changed text.
    changed = {"__name__": "shop.tasks", **vars(module)}
    tree = ast.parse(text.replace(plant.old, plant.new))
    tree.body = [
        one for one in tree.body if isinstance(one, ast.FunctionDef) and not one.decorator_list
    ]
    exec(compile(tree, str(path), "exec"), changed)  # noqa: S102  # the test's own
    names = [one.name for one in tree.body]
    before = {name: getattr(module, name) for name in names}
    for name in names:
        setattr(module, name, changed[name])
    try:
        yield app
    finally:
        for name, own in before.items():
            setattr(module, name, own)
