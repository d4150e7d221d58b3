from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from offcanvas import cli


def test_version() -> None:
    result = CliRunner().invoke(cli.app, ["--version"])
    assert result.exit_code == 0
    assert result.output == f"offcanvas {version('offcanvas')}\n"


def test_an_error_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["offcanvas", "audit", "/nowhere/at/all"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.err.count("\n") == 1
    assert "/nowhere/at/all does not exist" in captured.err


@pytest.mark.parametrize("command", ["cutover", "shadow"])
def test_a_command_of_commands_wants_one_of_them(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["offcanvas", command])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    captured = capsys.readouterr()
    assert (stop.value.code, captured.out) == (2, "")
    assert captured.err == "offcanvas: Missing command. (--help tells more)\n"


def test_metrics_of_a_single_sweep_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["cutover", "sweep", "-A", "shop.tasks:app", "--metrics-port", "9190"]
    monkeypatch.setattr("sys.argv", ["offcanvas", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "offcanvas: --metrics-port goes with --every: one sweep ends before anybody asks\n"
    )
