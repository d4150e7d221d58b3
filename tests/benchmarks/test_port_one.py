"""The benchmark of one builder ports it to each engine, and shows what that took."""

import typer
from typer.testing import CliRunner

from benchmarks import port_one


def test_each_engine_has_a_line() -> None:
    app = typer.Typer()
    app.command()(port_one.main)
    shown = CliRunner().invoke(app, ["--times", "1"])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| temporal", "| prefect"]
    assert all(float(line.split(" | ")[1].removesuffix(" s")) > 0 for line in lines)
