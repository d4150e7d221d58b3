"""A recording by a real worker, replayed on a real server: faults are found, and no others."""

import asyncio
import json
import logging

import pytest

from offcanvas.servers import prefect, temporal
from offcanvas.shadow.recording import read
from tests.shadow.plants import (
    KIT,
    PLANTS,
    PREFECT,
    packages,
    planted,
    replayed,
    replayed_by_kit,
    replayed_on_prefect,
)
from tests.shadow.shop import CASES, recorded

pytestmark = pytest.mark.servers
MAIN = "from offcanvas.cli import main; main()"
RUN = ("-W", "ignore", "-c", MAIN, "shadow", "run", "recording", "-A", "shop.tasks")
PURE = ("--pure", "stations", "--pure", "open_orders")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("shadow"))


@pytest.fixture(scope="module")
def server():
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    with temporal() as found:
        yield found.url


def test_a_recording_holds_every_root_to_its_end(folder):
    found = read(folder.path / "recording")
    assert sorted(one.name for one in found) == sorted(f"shop.tasks:{name}" for name, _ in CASES)
    assert all(one.is_complete for one in found)
    flaky = next(one for one in found if one.given == {"url": "flaky"})
    states = [(one.task, one.state, one.retries) for one in flaky.attempts]
    assert states[:3] == [("shop.tasks.fetch", "RETRY", 0), ("shop.tasks.fetch", "RETRY", 1),
                          ("shop.tasks.fetch", "SUCCESS", 2)]  # fmt: skip
    told = folder.run("-W", "ignore", "-c", MAIN, "shadow", "record", "recording")
    assert "shop.tasks:import_feed: 3 roots, 3 of them to their end" in told.out


def test_planted_faults_are_found_and_no_others(folder, server):
    ledger = (folder.path / "ledger.jsonl").read_text()
    for name, package in packages(folder.path).items():
        done = asyncio.run(replayed(server, folder.path, package, times=1 if name else 5))
        kinds = {each.kind for one in done for each in one.differences}
        if not name:
            assert kinds == set(), [one for one in done if one.differences]
            continue
        (plant,) = (one for one in PLANTS if one.name == name)
        assert kinds & plant.kinds, f"{name}: {kinds}"
    # A shadow executes nothing: no line of a task is added.
    assert (folder.path / "ledger.jsonl").read_text() == ledger


#: Those of the port to Prefect that are looked at here; all of them are in `make shadow-proof`.
SOME = ("swapped arguments", "missing errback", "one attempt too many", "dropped step")


def test_faults_in_a_port_to_prefect_are_found_and_no_others(folder):
    ledger = (folder.path / "ledger.jsonl").read_text()
    plants = [one for one in PREFECT if one[1].name in SOME]
    made = packages(folder.path, [plant for _, plant in plants], "shop_prefect")
    with prefect() as server:
        clean = replayed_on_prefect(server.url, folder.path, made[""])
        assert [one for one in clean if one.differences] == []
        assert len(clean) == len(CASES) - 1
        for root, plant in plants:
            done = replayed_on_prefect(server.url, folder.path, made[plant.name], only=root)
            kinds = {each.kind for one in done for each in one.differences}
            assert kinds & plant.kinds, f"{plant.name}: {kinds}"
    assert (folder.path / "ledger.jsonl").read_text() == ledger


def test_faults_in_canvases_that_the_kit_runs_are_found_and_no_others(folder):
    ledger = (folder.path / "ledger.jsonl").read_text()
    clean = replayed_by_kit(folder.path, times=5)
    assert [one for one in clean if one.differences] == []
    for root, plant in KIT:
        with planted(folder.path, plant):
            done = replayed_by_kit(folder.path, only=root)
        kinds = {each.kind for one in done for each in one.differences}
        assert kinds & plant.kinds, f"{plant.name}: {kinds}"
    assert (folder.path / "ledger.jsonl").read_text() == ledger


def test_the_command_tries_the_kit_and_tells_which_branches_were_taken(folder):
    ran = folder.run(*RUN, "--kit", "--root", "shop.tasks:nightly", "--root", "shop.tasks:rolls")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "3 roots, 0 differ: at most 63.16% do, with 95 % confidence",
        "all 7 steps of the candidate were taken",
        "3 of 3 branches of the candidate were taken",
    ]
    ran = folder.run(*RUN, "--port", "shop_prefect", *PURE, "--root", "shop.tasks:nightly")
    assert ran.code == 0, ran.err
    assert "  not taken: flows.py:19 except Exception" in ran.out


def test_the_command_and_its_report(folder):
    ran = folder.run(*RUN, "--port", "shop_temporal", *PURE, "--until", "0.001")
    assert ran.code == 1, ran.err
    first, *rest = ran.out.splitlines()
    assert first == "7 roots, 1 differ:"
    assert "other arguments, gallery, 1 time:" in ran.out
    assert "not covered, as no recorded root took them: refresh, upsert" in rest
    rule = '[[known]]\nstep = "gallery"\nreason = "Celery turns it round"\nuntil = 2999-01-01\n'
    known = folder.path / "known.toml"
    known.write_text(
        "".join(f'{rule}kind = "{kind}"\n' for kind in ("other arguments", "missing call"))
    )
    ran = folder.run(*RUN, "--port", "shop_temporal", *PURE, "--known", "known.toml", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["replayed"], told["differing"], len(told["known"])) == (7, 0, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "nothing"), "nothing: no port to Temporal"),
        (("--port", "shop_temporal", "--pure", "moon"), "has no such step; it has alarm,"),
        (("--port", "shop_temporal", "--root", "none"), "no root of none was recorded"),
        (("--port", "shop_temporal", "--until", "2"), "--until 2: write a share"),
        (("--port", "shop_temporal", "--known", "no.toml"), "no.toml: cannot be read"),
        (("--port", "shop_temporal", "--address", "127.0.0.1:1", "--namespace", "default"),
         "a shadow needs a namespace of its own"),
        (("--port", "shop_prefect", "--address", "127.0.0.1:1"), "on a server that is started"),
        (("--port", "shop_prefect", "--pure", "moon"), "has no such step; it has alarm,"),
        (("--kit", "--pure", "moon"), "the app has no such step"),
        (("--kit", "--port", "shop_prefect"), "say what is tried"),
        ((), "say what is tried"),
        (("--kit", "--fences", "no.toml"), "no.toml: cannot be read"),
        (("--kit", "--address", "127.0.0.1:1"), "--address: is for a port to Temporal"),
    ],
)  # fmt: skip
def test_misuse_is_one_line(folder, words, said):
    ran = folder.run(*RUN, *words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_roots_without_an_end_are_no_success(folder):
    begun = folder.path / "begun"
    begun.mkdir()
    for one in (folder.path / "recording").glob("*.jsonl"):
        lines = one.read_text().splitlines(keepends=True)
        (begun / one.name).write_text("".join(x for x in lines if json.loads(x)["kind"] == "root"))
    ran = folder.run(*RUN[:-3], "begun", "-A", "shop.tasks", "--kit")
    assert (ran.code, ran.out) == (2, "")
    assert "recorded, and none to its end" in ran.err
