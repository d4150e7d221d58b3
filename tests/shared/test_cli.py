"""The wrapper around every command line: what the user has to mend is one line and exit 2."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from sqlalchemy import text

from shared.cli import application, progress, run
from shared.database import transaction
from shared.errors import UsageError


def exit_of(action: Callable[[], object], *args: str, explain=None) -> int:
    app = application("Try things.")
    app.command("action")(action)

    @app.callback()
    def callback() -> None: ...

    with pytest.raises(SystemExit) as stop:
        run(app, "try", ["action", *args], explain)
    return stop.value.code


def test_success_is_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        typer.echo("done")

    assert exit_of(action) == 0
    assert capsys.readouterr().out == "done\n"


def test_a_usage_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        raise UsageError("the file\nis odd")

    assert exit_of(action) == 2
    assert capsys.readouterr() == ("", "try: the file is odd\n")


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None: ...

    assert exit_of(action, "--nope") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "--nope" in err


def test_a_missing_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    app = application("Try things.")
    app.command("one")(lambda: None)
    app.command("two")(lambda: None)
    with pytest.raises(SystemExit) as stop:
        run(app, "try", [])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "try: Missing command. (--help tells more)\n"


def test_an_interrupt_is_exit_130(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        raise KeyboardInterrupt

    assert exit_of(action) == 130
    assert capsys.readouterr().err == "try: interrupted\n"


def test_a_command_chooses_its_own_exit_code() -> None:
    def action() -> None:
        raise typer.Exit(1)

    assert exit_of(action) == 1


def test_a_bug_keeps_its_traceback() -> None:
    def action() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exit_of(action)


def test_the_caller_explains_what_only_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        raise ConnectionResetError("broker went away")

    def explain(error: Exception) -> str | None:
        return f"no broker: {error}" if isinstance(error, ConnectionError) else None

    assert exit_of(action, explain=explain) == 2
    assert capsys.readouterr().err == "try: no broker: broker went away\n"


def test_a_file_that_cannot_be_opened_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def action() -> None:
        (tmp_path / "nowhere" / "file").open("w")

    assert exit_of(action) == 2
    assert capsys.readouterr().err == f"try: {tmp_path}/nowhere/file: No such file or directory\n"


def query() -> None:
    with transaction(read_only=True) as session:
        session.execute(text("SELECT count(*) FROM voters"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://me:secret@127.0.0.1:1/none",
            "cannot reach DATABASE_URL=postgresql://me:***@",
        ),
        ("sqlite:////nowhere/at/all.db", "cannot reach DATABASE_URL=sqlite:////nowhere/at/all.db"),
        ("sqlite://", "in-memory"),
        ("mysql://me:secret@127.0.0.1/x", "mysql is not supported"),
        ("me:secret", "not a database address"),
    ],
)
def test_a_database_out_of_reach_is_one_line_without_the_password(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert exit_of(query) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err
    assert "me:secret@" not in err


def test_a_database_without_tables_says_what_to_do(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    assert exit_of(query) == 2
    err = capsys.readouterr().err
    assert err == (
        f"try: DATABASE_URL={sqlite_url} has no tables: run `python -m shared init` first\n"
    )


def test_a_file_that_is_no_database_is_one_line(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "voters.db").write_text("voter_id,voter_name,center_id,center_name\n" * 40)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    assert exit_of(query) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "file is not a database" in err


def test_no_progress_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Counting", total=3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")
