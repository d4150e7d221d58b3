"""The percentage is moved, and all of it rolled back, by hand and by guards, while orders come."""

import re
import tomllib
from dataclasses import asdict

import pytest

from offcanvas.cutover.decision import CELERY, engine_for
from offcanvas.cutover.rules import Rule
from tests.cutover.load import press

pytestmark = pytest.mark.servers
HERE = "tests.cutover.shop"
BOTH = pytest.mark.parametrize(
    "engine_server", ["temporal", pytest.param("prefect", marks=pytest.mark.long)], indirect=True
)


@BOTH
def test_no_key_moves_back_and_a_rollback_is_at_once(moved):
    stage, engine = moved
    stage.until(lambda: served(stage, engine))
    found = press(stage, engine, "redis", 0.8)
    assert found.harm == 0, asdict(found)
    assert min(found.on_engine, found.on_celery, found.repeated, found.after_rollback) > 0


@BOTH
def test_guards_roll_back_by_themselves(moved):
    stage, engine = moved
    stage.until(lambda: served(stage, engine))
    guards = {
        ".fragile": "failures = 0.2, runs = 5",  # fails there alone
        ".fail": "failures = 0.2, runs = 5",  # fails on both sides
        ":vase": "failures = 0.2, runs = 7",  # fails there alone, and has too few runs
        ".sluggish": "p95 = 1.2, runs = 5",  # slower there
    }
    text = stage.rules.read_text()
    for root, guard in guards.items():
        text += f'[root."{HERE}{root}"]\nto = "{engine}"\npercent = 50\nkey = "order"\n'
        text += f"guard = {{ {guard} }}\n"
    stage.rules.write_text(text)
    for root in guards:
        call = f"{root[1:]}({{}}).delay()" if root[0] == ":" else f"{root[1:]}.delay({{}})"
        orders = [*of_side(root, engine, engine), *of_side(root, engine, CELERY)]
        stage.run("\n".join(call.format(order) for order in orders))

    def rules():
        return tomllib.loads(stage.rules.read_text())["root"]

    def stopped():
        return {root for root in guards if rules()[f"{HERE}{root}"]["percent"] == 0}

    def open_ones():
        return [one for one in stage.claims() if one.ended is None]

    with stage.sweeping("--every", "0.5") as sweeping:
        stage.until(lambda: stopped() == {".fragile", ".sluggish"} and not open_ones())
        # All have ended: another sweep finds no more to roll back.
        sweeping.terminate()
        sweeping.wait(60)
    assert stage.command("sweep").returncode == 0
    assert stopped() == {".fragile", ".sluggish"}
    whys = {root: rules()[f"{HERE}{root}"].get("stopped") for root in guards}
    told = rf"100.0% of [56] runs on {engine} have failed, and 0.0% of [56] on Celery"
    assert re.fullmatch(told, whys[".fragile"])
    assert re.match(rf"the 95th percentile of [56] runs on {engine} is", whys[".sluggish"])
    log = (stage.folder / "sweep.log").read_text()
    assert f"rolled back by its guard: {HERE}.fragile: {whys['.fragile']}" in log
    before = len(stage.lines())
    stage.run(f"[fragile.delay(one).get(timeout=60) for one in {orders_of('.fragile', engine)}]")
    assert {where for where, *_ in stage.lines()[before:]} == {CELERY}


def served(stage, engine):
    """Whether the engine's worker is there."""
    return stage.command("set", f"{HERE}.pay", "--to", engine, "--percent", "1").returncode == 0


def of_side(root, engine, side):
    """Six orders that half of the traffic sends to a side."""
    rule = Rule(f"{HERE}{root}", engine, percent=50, key="order")
    numbers = (n for n in range(1_000) if engine_for(rule, "", {"order": n}, "") == side)
    return [next(numbers) for _ in range(6)]


def orders_of(root, engine):
    return of_side(root, engine, engine)
