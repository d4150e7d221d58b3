"""What a person has to mend is one line and status 2, and nothing is left behind."""

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from airflow_impl import server
from airflow_impl.environment import locked_version
from offcanvas.servers.base import free_port

ROOT = Path(__file__).resolve().parents[2]


def _run(*words: str, **variables: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **{name: str(text) for name, text in variables.items()}},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _told(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def _installed(folder: Path, version: str) -> Path:
    """What an environment with that release looks like from outside."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "airflow").touch()
    site = folder / "lib" / "python3.11" / "site-packages"
    (site / f"apache_airflow_core-{version}.dist-info").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("airflow_impl", "server"),
        ("airflow_impl", "worker"),
        ("comparisons", "timing", "--engines", "celery,airflow", "--voters", "10"),
        ("comparisons", "serve", "--engines", "airflow"),
        ("comparisons", "faults", "--profiles", "airflow"),
    ],
)
def test_without_the_environment_it_says_how_to_add_it(
    tmp_path: Path, sqlite_url: str, words: tuple[str, ...]
) -> None:
    place = tmp_path / "nowhere"
    done = _run(*words, AIRFLOW_ENVIRONMENT=place, DATABASE_URL=sqlite_url, TMPDIR=tmp_path)
    assert f"there is no Airflow in {place}: run `make airflow`" in _told(done)
    assert list(tmp_path.iterdir()) == []


def test_another_release_is_named(tmp_path: Path) -> None:
    place = _installed(tmp_path / "env", "2.11.0")
    said = _told(_run("airflow_impl", "server", AIRFLOW_ENVIRONMENT=place))
    assert f"has Airflow 2.11.0, and this is written for {locked_version()}" in said


def test_a_port_that_is_taken_is_named_and_nothing_is_begun(tmp_path: Path) -> None:
    place = _installed(tmp_path / "env", locked_version())
    home = tmp_path / "home"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = ("server", "--port", port, "--home", str(home))
        said = _told(_run("airflow_impl", *words, AIRFLOW_ENVIRONMENT=place))
    assert f"port {port} of 127.0.0.1 cannot be used" in said
    assert not home.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    place = _installed(tmp_path / "env", locked_version())
    home = tmp_path / "home"
    home.mkdir()
    (home / "letters.txt").write_text("mine")
    words = ("server", "--port", str(free_port()), "--home", str(home))
    said = _told(_run("airflow_impl", *words, AIRFLOW_ENVIRONMENT=place))
    assert "has files in it and no airflow.cfg" in said
    assert [path.name for path in home.iterdir()] == ["letters.txt"]


def test_a_folder_of_a_server_on_another_port_is_named(tmp_path: Path) -> None:
    server._prepare(tmp_path / "home", 18_001, None)
    place = _installed(tmp_path / "env", locked_version())
    words = ("server", "--port", str(free_port()), "--home", str(tmp_path / "home"))
    said = _told(_run("airflow_impl", *words, AIRFLOW_ENVIRONMENT=place))
    assert "belongs to a server on port 18001" in said


@pytest.mark.long
@pytest.mark.airflow
def test_a_metadata_database_that_is_not_there_is_named(
    airflow_program: Path, tmp_path: Path
) -> None:
    del airflow_program  # it is there: that is what counts
    home, nowhere = tmp_path / "home", f"127.0.0.1:{free_port()}"
    words = ("server", "--port", str(free_port()), "--home", str(home))
    address = f"postgresql+psycopg://ann:secret@{nowhere}/airflow"
    said = _told(_run("airflow_impl", *words, "--database", address))
    assert "Airflow's tables cannot be created in postgresql+psycopg://ann:***@" in said
    assert "connection failed" in said
    assert "secret" not in said
    assert not home.exists()


@pytest.mark.parametrize("command", ["start chain", "sweep --once", "health"])
def test_without_an_address_it_says_what_to_do(command: str, sqlite_database: str) -> None:
    said = _told(_run("airflow_impl", *command.split(), DATABASE_URL=sqlite_database))
    assert "AIRFLOW_API_URL is not set" in said


@pytest.mark.parametrize("command", ["start chain", "sweep", "sweep --once"])
def test_a_server_that_does_not_answer_is_named(command: str, sqlite_database: str) -> None:
    url = f"http://ann:secret@127.0.0.1:{free_port()}"
    done = _run("airflow_impl", *command.split(), AIRFLOW_API_URL=url, DATABASE_URL=sqlite_database)
    said = _told(done)
    assert "cannot reach Airflow's API server at AIRFLOW_API_URL=" in said
    assert "secret" not in said


def test_a_run_that_nobody_could_be_told_of_is_left_to_the_sweep(sqlite_database: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    words = ("airflow_impl", "start", "chain", "--run-id", "meant")
    said = _told(_run(*words, AIRFLOW_API_URL=url, DATABASE_URL=sqlite_database))
    assert said.endswith("; run 'meant' is entered, and the next sweep starts it\n")
    with closing(sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))) as database:
        assert database.execute("SELECT run_id, variant FROM runs").fetchall() == [
            ("meant", "chain")
        ]


@pytest.mark.parametrize("command", ["start chain", "health"])
@pytest.mark.parametrize("url", ["localhost:8080", "http://a..b", "http://host:port"])
def test_an_address_that_is_none_is_told_how_to_write_one(
    command: str, url: str, sqlite_database: str
) -> None:
    words = command.split()
    done = _run("airflow_impl", *words, AIRFLOW_API_URL=url, DATABASE_URL=sqlite_database)
    assert f"AIRFLOW_API_URL={url!r} is not an address: use http://host:8080" in _told(done)


def test_a_variant_that_does_not_exist_is_named(sqlite_database: str) -> None:
    done = _run(
        "airflow_impl", "start", "nonsense",
        AIRFLOW_API_URL="http://127.0.0.1:1", DATABASE_URL=sqlite_database,
    )  # fmt: skip
    assert "no variant 'nonsense': choose one of all_in_one, " in _told(done)
