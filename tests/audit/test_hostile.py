"""Code bases that were made to harm whoever audits them."""

import io
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from offcanvas import show
from offcanvas.audit.gitref import sources_at
from offcanvas.audit.syntax import UnreadableError, parse
from offcanvas.printable import escaped
from tests.audit.test_command import FAULTY, Capture, run

__all__ = ["own_cache"]
from tests.audit.test_command import own_cache

# --- what a repository's configuration can make git do


def git(folder: Path, *command: str) -> None:
    identity = [
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    subprocess.run(["git", *identity, "-C", folder, *command], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "tasks.py").write_text(FAULTY)
    (folder / "other.py").write_text("x = 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


def ran(tmp_path: Path) -> str:
    """A program that leaves a trace; the command that calls it."""
    program = tmp_path / "evil"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path / "trace"}\nexit 1\n')
    program.chmod(0o755)
    return str(program)


def without_blob(repository: Path) -> None:
    """Make the repository a partial clone, of which one file has to be fetched."""
    found = subprocess.run(
        ["git", "-C", repository, "rev-parse", "HEAD:tasks.py"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    (repository / ".git" / "objects" / found[:2] / found[2:]).unlink()
    git(repository, "config", "extensions.partialClone", "origin")
    git(repository, "config", "core.repositoryFormatVersion", "1")
    git(repository, "config", "remote.origin.promisor", "true")


@pytest.mark.parametrize(
    "configured",
    [
        {"core.sshCommand": "{evil}", "remote.origin.url": "ssh://nobody.invalid/x"},
        {"remote.origin.url": "ext::{evil}", "protocol.ext.allow": "always"},
        {"remote.origin.url": "/nowhere", "remote.origin.uploadpack": "{evil}",
         "protocol.file.allow": "always"},
        {"remote.origin.url": "git://nobody.invalid/x", "core.gitProxy": "{evil}"},
        {"core.fsmonitor": "{evil}", "core.hooksPath": "{folder}"},
        {"diff.external": "{evil}", "core.pager": "{evil}", "pager.ls-tree": "{evil}"},
    ],
)  # fmt: skip
def test_git_runs_nothing_that_the_repository_names(
    repository: Path, tmp_path: Path, configured: dict[str, str]
) -> None:
    evil = ran(tmp_path)
    without_blob(repository)
    for name, value in configured.items():
        git(repository, "config", name, value.format(evil=evil, folder=tmp_path))
    assert sources_at(repository, "HEAD") == {"other.py": b"x = 1\n"}
    assert not (tmp_path / "trace").exists()


def test_a_folder_that_looks_like_a_bare_repository_is_none(
    repository: Path, tmp_path: Path, capsys: Capture
) -> None:
    inner = tmp_path / "plain" / "inner"
    inner.parent.mkdir()
    subprocess.run(["cp", "-r", repository / ".git", inner], check=True)
    git(inner, "config", "core.bare", "true")
    (inner / "tasks.py").write_text(FAULTY)
    ran_ = run(capsys, inner, "--against", "HEAD")
    assert ran_.code == 2
    assert ran_.err.count("\n") == 1


def test_names_with_line_breaks_and_links_at_a_ref(repository: Path) -> None:
    (repository / "a\nb.py").write_text("y = 2\n")
    (repository / "link.py").symlink_to("/etc/passwd")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    found = sources_at(repository, "HEAD")
    assert found == {
        "a\nb.py": b"y = 2\n",
        "other.py": b"x = 1\n",
        "tasks.py": FAULTY.encode(),
    }


# --- what the parser can be made to do


@pytest.mark.parametrize(
    "source",
    [
        b"# coding: undefined\nx = 1\n",
        b"# coding: undefined\nexcept A, B:\n",
        b"# coding: punycode\nx = 1\n",
        b"# coding: hex\nx = 1\n",
        b"# coding: utf-7\nx = +AAA\n",
        b"-" * 200_000 + b"1\n",
        b"a" + b".b" * 200_000,
        b"x = [" + b"1," * 2_400_000 + b"]\n",
        b"f()\n" * 1_200_000,
        b"match x:\n    case [" + b"1," * 2_000_000 + b"]: pass\n",
    ],
    ids=range(10),
)
def test_a_file_that_cannot_be_parsed_is_reported_within_bounds(source: bytes) -> None:
    with pytest.raises(UnreadableError):
        parse(source)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_500_000  # kilobytes


def test_odd_codings_are_reported_and_the_rest_is_read(tmp_path: Path, capsys: Capture) -> None:
    for number, coding in enumerate(("undefined", "punycode", "hex", "klingon")):
        (tmp_path / f"odd{number}.py").write_text(f"# coding: {coding}\nx = 1\n")
    (tmp_path / "tasks.py").write_text(FAULTY)
    ran_ = run(capsys, tmp_path, "--select", "CEL206")
    assert ran_.out.count(": not read: ") == 4
    assert "tasks.py:9:1: CEL206" in ran_.out


# --- what names can make a terminal, a runner or a browser do

NAME = "\x1b[31m`<script>alert(1)</script>`\n::error file=x::pwned\u202e|[a](javascript:b)"


@pytest.fixture
def named(tmp_path: Path) -> Path:
    folder = tmp_path / "named"
    folder.mkdir()
    (folder / "::error file=x::pwned.py").write_text(FAULTY)
    (folder / "esc\x1b[31m\n::error::x.py").write_text(FAULTY)
    (folder / "tasks.py").write_text(
        "from celery import Celery, chain\napp = Celery()\n"
        f"@app.task(name={NAME!r})\ndef f(x): ...\n"
        "@app.task\ndef g(x): ...\n"
        "f.delay(1, countdown=5)\nchain(f.s(1), g.s()).delay()\n"
    )
    return folder


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "github", "markdown", "html"])
def test_names_are_text_in_every_format(named: Path, capsys: Capture, format_: str) -> None:
    shown = run(capsys, named, "--format", format_).out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", shown)
    lines = [line.strip() for line in shown.split("\n")]
    if format_ == "github":
        assert all(re.match(r"::(error|warning|notice) file=", line) for line in lines if line)
        assert not any(line.startswith("::error file=x") for line in lines)
    else:
        assert not any(line.startswith("::") for line in lines)
    if format_ in {"markdown", "html"}:
        fences = re.sub(r"```mermaid\n.*?\n```\n", "", shown, flags=re.DOTALL)
        outside = re.sub(r"`[^`\n]*`", "", fences)  # code spans are text
        assert "<script>alert" not in outside
        assert format_ == "html" or "](javascript:" not in outside
    if format_ == "json":
        assert any(task["name"] == NAME for task in json.loads(shown)["inventory"]["tasks"])


def test_drawings_are_well_formed_and_show_no_control_characters() -> None:
    canvas = {
        "task": NAME, "args": ["\x00\x1b"], "kwargs": {}, "options": {"queue": "\x1b\x07"},
        "subtask_type": None, "immutable": False,
    }  # fmt: skip
    for format_ in ("tree", "mermaid", "svg"):
        shown = show(canvas, format_)
        assert escaped(shown.replace("\n", "")) == shown.replace("\n", "")
        assert format_ == "tree" or "<script>" not in shown
    parsed = ET.parse(io.StringIO(show(canvas, "svg")))  # noqa: S314  # our own
    assert parsed.getroot().tag.endswith("svg")


def test_a_command_prints_no_control_characters_of_others(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31m\n::error::x"
    done = subprocess.run(
        [sys.executable, "-c", "from offcanvas.cli import main; main()", "audit", folder],
        capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


# --- files that go, or change, while they are read


def _goes(file: Path) -> None:
    file.unlink()


def _becomes_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _becomes_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _becomes_no_python(file: Path) -> None:
    file.write_text("def (:\n")


def _becomes_shorter(file: Path) -> None:
    file.write_text("x = 1\n")


@pytest.mark.parametrize("words", [[], ["--fix"], ["--write-baseline", "known.json"]], ids=str)
@pytest.mark.parametrize("reads", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "becomes",
    [_goes, _becomes_a_folder, _becomes_a_pipe, _becomes_no_python, _becomes_shorter],
)
def test_a_file_that_changes_while_it_is_read_is_no_traceback(
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    becomes: Callable[[Path], None],
    reads: int,
    words: list[str],
) -> None:
    """After so many reads of it: the audit reads a file more than once."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "tasks.py").write_text(FAULTY)
    (tree / "other.py").write_text("from tasks import mail\n\n\nmail.delay('b', countdown=1)\n")
    left, original = [reads], Path.read_bytes

    def read_bytes(file: Path) -> bytes:
        read = original(file)
        if file.name == "tasks.py":
            left[0] -= 1
            if left[0] == 0:
                becomes(file)
        return read

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.chdir(tree)
    ended = run(capsys, ".", "--no-cache", "--jobs", "1", *words)
    assert left[0] <= 0 or reads > 2  # it has changed
    assert ended.code != 2 or ended.err.count("\n") == 1
