"""`python -m shared` as a person types it: what it does, and three ways to misuse each command."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.__main__ import app
from shared.cli import run
from shared.settings import Settings, settings
from tests.shared.roll_book.book import contents

ROOT = Path(__file__).parents[2]
COLUMNS = "voter_id,voter_name,center_id,center_name\n"


@dataclass(frozen=True)
class Done:
    code: object
    out: str
    err: str


Shared = Callable[..., Done]


@pytest.fixture
def shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shared:
    """The command line in a folder of its own, without the second that a process takes to start."""
    monkeypatch.chdir(tmp_path)

    def shared(*args: str, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(folder=tmp_path))
        settings.cache_clear()
        with pytest.raises(SystemExit) as stop:
            run(app, "python -m shared", args)
        return Done(stop.value.code, *capfd.readouterr())

    return shared


def start(*args: str, folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        **options,
    )


@pytest.fixture
def bad_csv(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text(f"{COLUMNS}V1,Ann,C1,School\nV2,,C1,School\nV1,Ann,C1,School\n")
    return path


def test_from_nothing_to_statistics(sqlite_url: str, shared: Shared) -> None:
    def say(*args: str) -> str:
        done = shared(*args, DATABASE_URL=sqlite_url)
        assert (done.code, done.err) == (0, "")
        return done.out

    assert say("init") == say("init") == "tables: there\n"
    assert say("fake", "--voters", "2500", "--seed", "5") == ("2,500 voters in 2 centers, seed 5\n")
    assert say("fake", "--replace", "--voters", "600") == "600 voters in 1 center, seed 2038\n"
    assert say("fake", "--csv", "more.csv", "--voters", "700").startswith("more.csv: 700 voters")
    assert say("import", "more.csv") == "more.csv: 700 voters in 1 center\n"
    words = {line.rsplit(maxsplit=1)[0]: line.split()[-1] for line in say("stats").splitlines()}
    assert words == {
        "voters": "700",
        "centers": "1",
        "centers without voters": "0",
        "smallest center": "700",
        "largest center": "700",
        "stations": "2",
    }


LAST_LINE = (
    "python -m shared: bad.csv: 2 bad rows, nothing was imported: correct the file, "
    "or import the rest with --skip-bad-rows FILE"
)


def test_bad_rows_are_named_one_a_line_and_nothing_is_imported(
    sqlite_database: str, shared: Shared, bad_csv: Path, tmp_path: Path
) -> None:
    done = shared("import", "bad.csv", DATABASE_URL=sqlite_database)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "bad.csv:3: empty voter_name",
        "bad.csv:4: duplicate voter V1: already in line 2",
        LAST_LINE,
    ]
    assert contents() == []


def test_bad_rows_are_skipped_on_request(
    sqlite_database: str, shared: Shared, bad_csv: Path, tmp_path: Path
) -> None:
    done = shared(
        "import",
        "bad.csv",
        "--skip-bad-rows",
        "rejected.csv",
        DATABASE_URL=sqlite_database,
    )
    assert (done.code, done.err) == (0, "")
    assert done.out == "bad.csv: 1 voter in 1 center\nrejected.csv: 2 rejected rows\n"
    assert len((tmp_path / "rejected.csv").read_text().splitlines()) == 3
    assert [row.voter_id for row in contents()] == ["V1"]


def test_settings_show_value_source_and_meaning(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CONCURRENCY=7\n")
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    done = shared("settings", DATABASE_URL="postgresql://me:s3cret@db.example/rolls")
    assert (done.code, done.err) == (0, "")
    assert "DATABASE_URL = postgresql://me:***@db.example/rolls  [environment]" in done.out
    assert "CONCURRENCY = 7  [.env]" in done.out
    assert "TEMPORAL_ADDRESS = (not set)  [default]\n    Temporal server" in done.out
    assert "s3cret" not in done.out


NO_DATABASE = "postgresql://me:s3cret@127.0.0.1:1/none"
MISUSE = {
    "no command": ([], {}, "Missing command"),
    "unknown command": (["unit"], {}, "No such command 'unit'"),
    "init without an address": (["init"], {}, "DATABASE_URL is not set"),
    "init with a wrong address": (
        ["init"],
        {"DATABASE_URL": "voters.db"},
        "not a database address",
    ),
    "init out of reach": (["init"], {"DATABASE_URL": NO_DATABASE}, "cannot reach DATABASE_URL"),
    "init with an argument": (["init", "now"], {}, "unexpected extra argument"),
    "fake with a word": (["fake", "--voters", "many"], {}, "--voters"),
    "fake with too many": (["fake", "--voters", "10000001"], {}, "--voters"),
    "fake with a negative seed": (["fake", "--seed", "-1"], {}, "--seed"),
    "fake without an address": (["fake"], {}, "DATABASE_URL is not set"),
    "fake to a folder that is not there": (["fake", "--csv", "no/x.csv"], {}, "cannot write no/x"),
    "import without a file": (["import"], {}, "Missing argument 'file'"),
    "import of nothing": (
        ["import", "none.csv"],
        {"DATABASE_URL": "sqlite:///{folder}/v.db"},
        "none.csv",
    ),
    "import of a folder": (
        ["import", "."],
        {"DATABASE_URL": "sqlite:///{folder}/v.db"},
        "cannot read .",
    ),
    "import of no CSV": (
        ["import", str(ROOT / "pyproject.toml")],
        {"DATABASE_URL": "sqlite:///{folder}/v.db"},
        "missing header",
    ),
    "import without an address": (["import", "bad.csv"], {}, "DATABASE_URL is not set"),
    "stats without tables": (
        ["stats"],
        {"DATABASE_URL": "sqlite:///{folder}/v.db"},
        "has no tables",
    ),
    "stats without an address": (["stats"], {}, "DATABASE_URL is not set"),
    "stats of no database": (
        ["stats"],
        {"DATABASE_URL": "sqlite:///{folder}/bad.csv"},
        "not a database",
    ),
    "settings that do not fit": (["settings"], {"CONCURRENCY": "none"}, "CONCURRENCY='none'"),
    "settings with an option": (["settings", "--all"], {}, "--all"),
}


@pytest.mark.parametrize(("args", "environment", "said"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_one_line_and_exit_2(
    args: list[str],
    environment: dict[str, str],
    said: str,
    shared: Shared,
    bad_csv: Path,
    tmp_path: Path,
) -> None:
    done = shared(*args, **environment)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("python -m shared: ")
    assert said in done.err
    assert "s3cret" not in done.err
    if args[:1] != ["stats"]:  # SQLite makes the file that it is asked to read
        assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_a_setting_that_does_not_fit_stops_what_needs_it(shared: Shared) -> None:
    done = shared("stats", CELERY_PROFILE="reckless")
    assert done.code == 2
    assert "CELERY_PROFILE='reckless'" in done.err


def test_a_terminal_gets_a_progress_bar_on_stderr_and_only_there(tmp_path: Path) -> None:
    terminal, side = pty.openpty()
    command = ("shared", "fake", "--csv", "v.csv", "--voters", "60000")
    process = start(*command, folder=tmp_path, stderr=side)
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other side has closed
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    assert process.stdout is not None
    with process.stdout as out:
        assert out.read() == b"v.csv: 60,000 voters in 60 centers, seed 2038\n"
    assert process.wait(timeout=300) == 0
    assert b"Writing" in shown
    assert b"60000/60000" in shown


def test_an_error_of_the_real_process_is_one_line_and_exit_2(tmp_path: Path) -> None:
    with start("shared", "stats", folder=tmp_path, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, b"")
    assert err.startswith(b"python -m shared: DATABASE_URL is not set: ")
    assert err.count(b"\n") == 1


def test_the_benchmark_measures_seconds_and_memory(tmp_path: Path) -> None:
    command = ("shared.benchmark_load", "--voters", "200", "--load", "fake voters")
    with start(*command, folder=tmp_path, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, b"")
    first, _, _, measured = out.decode().splitlines()
    assert first.startswith("200 voters, sqlite:///")
    peak = re.fullmatch(r"fake voters +\d+\.\d\d +[\d,]+ +([\d,]+) MiB", measured)
    assert peak is not None
    assert 20 < int(peak[1].replace(",", "")) < 1_000


def test_a_benchmark_in_an_impossible_order_is_one_line_and_exit_2(tmp_path: Path) -> None:
    command = ("shared.benchmark_load", "--voters", "2", "--load", "import CSV")
    with start(*command, folder=tmp_path, stderr=subprocess.PIPE) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert err.startswith(b"python -m shared.benchmark_load: import CSV: cannot read ")
    assert err.count(b"\n") == 1
