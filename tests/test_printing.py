"""Names and values that were made to harm whoever reads them: what each command prints of them."""

import dataclasses
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from offcanvas.celery_app.planning import Submission
from offcanvas.checking import report as checked
from offcanvas.checking.compare import plan
from offcanvas.checking.seen import Difference, Seen, What
from offcanvas.cli import main
from offcanvas.commands.check import announcement, progress
from offcanvas.comparing import faults, page, text
from offcanvas.comparing.result import Attempt, Measured, Run, Used
from offcanvas.cutover import status as moved
from offcanvas.drain import report as drained
from offcanvas.drain.findings import Finding, Look, Place
from offcanvas.drain.watch import Drained
from offcanvas.engines.base import Outcome
from offcanvas.printable import escaped, say
from offcanvas.shadow import report as shadowed
from offcanvas.shadow.answers import Difference as Replayed
from tests import misnamed
from tests.misnamed import NAME, ROOT

HERE = "tests.misnamed"
NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SHOWN = escaped(NAME)
RED = re.compile(r"(\\x|\\u00)1b\[31mred")
CLAIMS = ["-A", HERE, "--to", "temporal", "--claims", "sqlite:///claims.db"]


def harmless(said: str) -> str:
    """What was printed: nothing in it commands a terminal or GitHub's runner."""
    assert not NO_TEXT.search(said), repr(said)
    assert not re.search(r"^\s*(::|##\[)", said, re.MULTILINE), said
    return said


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command; what it printed on both streams."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["offcanvas", *words])
        with pytest.raises(SystemExit):
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return harmless(out) + harmless(err)

    return run


@pytest.mark.parametrize(
    "words",
    [
        ["show", f"{HERE}:canvas"],
        ["show", f"{HERE}:canvas", "--format", "mermaid"],
        ["show", f"{HERE}:canvas", "--format", "svg"],
        ["preflight", f"{HERE}:wide", "--to", "temporal"],
        ["preflight", f"{HERE}:wide", "--to", "prefect", "--size", f"{NAME}=5"],
        ["run", f"{HERE}:failing"],
        ["run", f"{HERE}:canvas"],
        ["check", f"{HERE}:canvas", "--on", NAME],
        ["compare", f"{HERE}:canvas", "--on", NAME],
        ["schedules", "-A", HERE, "--to", "prefect", "--diff-days", "0"],
        ["cutover", "set", NAME, *CLAIMS],
        ["cutover", "set", NAME, *CLAIMS, "--key", NAME],
        ["show", f"{HERE}:{NAME}"],
        ["run", f"{HERE}:canvas", "--on", NAME],
        ["drain", "-A", HERE, "--without", NAME],
        ["audit", ".", "--select", NAME],
        ["port", NAME],
    ],
    ids=lambda words: " ".join(word for word in words if word.isascii())[:60],
)
def test_a_command_prints_names_as_text(
    command: Callable[..., str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert RED.search(command(*words))


def test_moving_prints_names_as_text(
    command: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["set", ROOT, *CLAIMS], ["rollback", ROOT, "-A", HERE]):
        assert command("cutover", *words).startswith(escaped(ROOT))
    # On a terminal of 80 columns a table breaks names.
    assert "[bold]b[/" in command("cutover", "status", "-A", HERE)


def test_a_port_prints_names_as_text(
    command: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of files too: what is told of a place begins with them."""
    monkeypatch.chdir(tmp_path)
    source = (
        Path(misnamed.__file__).read_text().replace("told.s(), told.s()", "told.s() | told.s()")
    )
    source = source.replace("name=NAME", f"name={NAME!r}, unknown_to_all=1")
    (tmp_path / "::error::x\n::warning\x1b[31mred.py").write_text(source)
    for words in ([], ["--diff"]):
        assert RED.search(command("port", ".", *words))


def test_a_recording_prints_names_as_text(command: Callable[..., str], tmp_path: Path) -> None:
    root = {
        "kind": "root", "root": "r", "name": NAME, "given": {}, "at": 1.0, "result": "r",
        "canvas": dict(misnamed.told.s(1)),
    }  # fmt: skip
    (tmp_path / "one.jsonl").write_text(json.dumps(root))
    assert SHOWN in command("shadow", "record", str(tmp_path))


def test_a_report_of_a_shadow_prints_names_as_text(
    command: Callable[..., str], tmp_path: Path
) -> None:
    known = shadowed.Known(NAME, NAME, NAME, date(2030, 1, 1))
    report = shadowed.Report(
        1,
        1,
        1,
        ((Replayed(NAME, NAME, NAME), 1, NAME),),
        ((known, 1),),
        (NAME,),
        (NAME,),
        (NAME,),
        1,
    )
    (tmp_path / "report.json").write_text(shadowed.as_json(report))
    said = command("shadow", "report", str(tmp_path / "report.json"))
    assert said.count(SHOWN) == 8
    assert said.count("\n") == len(shadowed.lines(report))


# --- what is told only after servers have run, as made of what they have told

SEEN = Seen(frozenset({NAME}), Counter([NAME]), Counter([NAME]), (NAME,))
DIFFERENCE = Difference(What.ANSWER, NAME)
RUN = Run("celery", 1, (Attempt(NAME, 0.0, 1.0, 1),), Used(1.0, 1), Used(1.0, 1), SEEN)
MEASURED = Measured(NAME, (RUN, dataclasses.replace(RUN, engine="memory")), {NAME: NAME})
VERDICT = checked.Verdict("memory", checked.Word.DIFFERS, (DIFFERENCE,), NAME)
HURT = [
    faults.Hurt("celery", title, Outcome("FAILURE", None, misnamed.Odd(NAME)), {}, 1.0)
    for title in (faults.UNDISTURBED, *(one.title for one in faults.FAULTS))
]
SIDE = moved.Side(NAME, 1, 1, 1, 0.5, None, None, 0, None)
MOVED = moved.Status(NAME, 60.0, 0.0, (moved.Root(NAME, NAME, NAME, 1.0, True, (SIDE,), (), NAME),))
DRAINED = Drained(Look((Finding(Place.READY, 1, NAME),)), None, 1.0)


def table(found: moved.Status) -> str:
    out = io.StringIO()
    Console(file=out, width=400, force_terminal=False).print(moved.as_table(found))
    return out.getvalue()


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        (checked.as_text(checked.Report(SEEN, (VERDICT,), (NAME,))), 7),
        (text.as_text(MEASURED), 14),
        (faults.as_text(faults.Faults(NAME, NAME, tuple(HURT), {NAME: NAME})), 18),
        (drained.as_text(DRAINED), 3),
        (table(MOVED), 4),
        (announcement(Submission(misnamed.app, misnamed.canvas()), plan(
            Submission(misnamed.app, misnamed.canvas()), ["memory"])), 1),
    ],
    ids=["check", "compare", "compare --faults", "drain", "cutover status", "check, before"],
)  # fmt: skip
def test_a_report_prints_names_as_text(
    said: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert SHOWN in said
    # What a name holds begins no line of its own.
    assert len(said.rstrip().split("\n")) == lines
    assert "[bold]b[/bold]" in said
    say(said)
    harmless(capsys.readouterr().out)


@pytest.mark.parametrize("made", [page.as_html(MEASURED), moved.as_html(MOVED)])
def test_a_page_holds_names_as_text(made: str) -> None:
    assert "<script" not in made
    assert "&lt;script&gt;" in made
    harmless(made)


def test_what_is_going_on_is_said_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200)
    monkeypatch.setattr("rich.console.Console", lambda **_given: console)
    with progress() as tell:
        tell(NAME)
        console.print("")
    assert "[bold]b[/bold]" in out.getvalue()
    assert "\x1b[31m" not in out.getvalue()


def test_what_the_terminal_has_no_sign_for_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("├ café\tof one\udc80\n ::error::x")
    assert raw.getvalue() == b"\\u251c caf\\xe9\tof one\\udc80\n./ ::error::x\n"
