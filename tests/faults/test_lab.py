"""What the lab makes of its cells; no server is started here."""

from __future__ import annotations

import inspect
import io
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from jsonschema import Draft202012Validator
from rich.console import Console

from comparisons.__main__ import app
from comparisons.lab import docs
from comparisons.lab.export import SCHEMA, as_json, dumps
from comparisons.lab.fault import Ending, discover
from comparisons.lab.lane import Lane
from comparisons.lab.plan import make_plan
from comparisons.lab.probes import NotReached
from comparisons.lab.profiles import PROFILES
from comparisons.lab.report import render
from comparisons.lab.table import print_lab
from offcanvas.servers import ServerError
from shared.cli import run
from tests.comparisons.browser import Page, visit
from tests.faults.samples import FOUND, LOST, lab, result

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


@pytest.mark.parametrize("fault", discover().values(), ids=lambda fault: fault.id)
def test_a_fault_says_what_it_is_and_what_it_expects_of_each_profile(fault) -> None:
    assert (type(fault).__doc__ or "").strip()
    assert fault.title
    assert fault.source
    assert fault.phases
    assert set(fault.expects) | set(fault.meaningless) == set(PROFILES)
    assert set(fault.expects) & set(fault.meaningless) == set()
    module = inspect.getmodule(type(fault))
    assert module is not None
    assert module.__name__.rpartition(".")[2].startswith(fault.id.lower() + "_")


def test_the_verdict_names_what_is_not_as_it_should_be() -> None:
    assert (FOUND.missed(), FOUND.ending) == ([], Ending.WHOLE)
    again = replace(FOUND, repeated={"C0-1": 1})
    assert (again.missed(), again.ending) == ([], Ending.REPEATED)
    assert replace(FOUND, sums=2).ending is Ending.REPEATED
    assert LOST.missed() == ["1 of 2 rolls lost", "no sum"]
    assert LOST.ending is Ending.LOST
    wrong = replace(FOUND, parts=1, total=1)
    assert wrong.missed() == ["sum 1 of 1 parts, not 3 of 2"]
    assert wrong.ending is Ending.WRONG
    assert replace(FOUND, files=3, stray=("C0-1 (2).pdf",)).ending is Ending.WRONG


def test_only_a_profile_with_a_goal_can_miss_it() -> None:
    good, bad = lab(), lab(spoiled=True)
    assert good.reached
    assert not bad.reached
    assert {each.profile for each in bad.missed} == {"prefect"}
    assert len(bad.missed) == sum("prefect" not in f.meaningless for f in discover().values()) * 2
    assert any("no sum" in sentence for sentence in bad.sentences)
    good.results[0] = replace(
        result("F01", "celery-naive", 1, None), ending=Ending.NOT_INJECTED
    )  # fmt: skip
    assert not good.reached


def test_faults_json_has_the_form_of_its_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    made = lab(spoiled=True)
    made.results[3] = result("F01", "celery-hardened", 2, None)
    data = json.loads(dumps(as_json(made)))
    Draft202012Validator(schema).validate(data)
    assert data["reached"] is False
    assert len(data["runs"]) == len(made.plan.cells)
    assert len(data["matrix"]) == len(discover()) * len(PROFILES)


def test_the_table_shows_counts_and_names_what_missed() -> None:
    output = io.StringIO()
    print_lab(lab(spoiled=True), Console(file=output))
    shown = output.getvalue()
    for fault in discover().values():
        assert fault.id in shown
    assert "2 lost" in shown
    assert "misses the goal" in shown
    assert "F01 on prefect, repetition 1" in shown


@pytest.mark.browser
async def test_a_cell_opens_its_evidence(tmp_path: Path) -> None:
    file = tmp_path / "faults.html"
    file.write_text(render(as_json(lab(spoiled=True))), encoding="utf-8")

    async def look(page: Page) -> tuple[int, int, str, int]:
        cells = await page.value("document.querySelectorAll('#matrix .cell').length")
        await page.value("document.querySelector('.cell[data-profile=prefect]').click()")
        text = await page.value("document.getElementById('evidence').innerText")
        beyond = await page.value(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        injected = await page.value("document.querySelectorAll('#evidence script').length")
        return cells, beyond, text, injected

    seen = await visit(file, [(1280, "light"), (390, "dark")], look)
    for cells, beyond, text, injected in seen.values():
        assert cells == len(discover()) * len(PROFILES)
        assert beyond <= 0, "the page is wider than the window"
        assert injected == 0
        for shown in ("1 of 2 rolls lost", "FAULT: <i>struck</i>", "worker-1", "PENDING"):
            assert shown in text


def test_the_page_of_the_docs_is_the_generators() -> None:
    kept = [docs.read(file) for file in docs.KEPT]
    assert PAGE.read_text(encoding="utf-8") == docs.page(*kept), (
        "python -m comparisons.lab.docs > docs/faults.md"
    )
    seen = {(square["fault"], square["profile"]) for data in kept for square in data["matrix"]}
    rerouted = {name for name, profile in PROFILES.items() if profile.rerouted_to}
    assert seen >= {(fault, name) for fault in discover() for name in rerouted}
    assert docs.page(as_json(lab()), as_json(lab(spoiled=True))).count("\n| F01 ") == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--faults", "F99"], "--faults 'F99' is not known: choose from F01"),
        (["--faults", ","], "--faults is empty"),
        (["--profiles", "celery"], "--profiles 'celery' is not known: choose from celery-naive"),
        (["--repeat", "0"], "--repeat 0"),
        (["--out", "Makefile"], "--out Makefile: this is a file"),
    ],
)
def test_misuse_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = ["faults", *([] if "--out" in words else ["--out", str(out)]), *words]
    with pytest.raises(SystemExit) as caught:
        run(app, "python -m comparisons", given)
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("initdb", "install PostgreSQL 13"),
        ("rabbitmq-server", "--profiles celery-hardened-r"),
        ("erl", "--profiles celery-hardened-r"),
    ],
)
def test_a_program_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    missing: str,
    remedy: str,
) -> None:
    found = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **more: None if name == missing else found(name, **more)
    )
    for server in ("postgres", "rabbitmq"):
        module = sys.modules[f"offcanvas.servers.{server}"]
        monkeypatch.setattr(module, "_PACKAGED", tmp_path / "packaged")
    with pytest.raises(SystemExit) as caught:
        run(app, "python -m comparisons", ["faults", "--faults", "f01"])
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert remedy in shown.err
    assert shown.err.count("\n") == 1


def test_the_commands_of_the_page_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comparisons.lab.plan._check_programs", lambda _: None)
    block = PAGE.read_text(encoding="utf-8").split("```")[1]
    lines = [line.partition("#")[0].strip() for line in block.strip().splitlines()]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)
        if words[0] == "make":
            made = subprocess.run(
                ["make", "-n", *words[1:]], cwd=PAGE.parents[1], capture_output=True, text=True,
                check=True,
            )  # fmt: skip
            words = shlex.split(made.stdout.strip().splitlines()[-1])
            words[0] = "python"
        assert words[:4] == ["python", "-m", "comparisons", "faults"]
        given = [word for word in words[4:] if word != "--help"]
        command = typer.main.get_command(app).commands["faults"]  # type: ignore[attr-defined] # a group
        flags = command.make_context("faults", given).params
        make_plan(**flags)


def test_a_lane_without_a_worker_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(lane: Lane) -> None:
        url = f"sqlite:///{tmp_path / 'voters.db'}"
        lane.servers["database"] = cast("Any", SimpleNamespace(url=url))

    def nobody(_lane: Lane) -> None:
        raise NotReached("no worker took work")

    monkeypatch.setattr(Lane, "_start_servers", start)
    monkeypatch.setattr(Lane, "make_ready", nobody)
    monkeypatch.setattr("comparisons.lab.alerts.available", lambda _package: False)
    lane = Lane(PROFILES["temporal"], tmp_path / "lane", threading.Event())
    with pytest.raises(ServerError, match=r"^temporal does not come up: no worker took work$"):
        lane.__enter__()
