"""The status on a terminal, as JSON and as a page; and live, until Ctrl-C."""

import io
import json
import os
import pty
import signal
import sys
from contextlib import suppress

import pytest
from rich.console import Console

from offcanvas.cutover.claims import Claim
from offcanvas.cutover.rules import parse
from offcanvas.cutover.status import as_html, as_json, as_table, status
from offcanvas.cutover.stores import open_claims

ROOT = "tests.cutover.shop.charge"


@pytest.fixture
def file(tmp_path):
    """Rules with a root that was stopped, and claims on both sides, one of which hangs."""
    address = f"sqlite:///{tmp_path}/claims.db"
    path = tmp_path / "cutover.toml"
    path.write_text(
        f'[cutover]\nclaims = "{address}"\n[root."{ROOT}"]\nto = "temporal"\npercent = 0\n'
        'stopped = "too <slow>"\n'
    )
    claims = open_claims(address)
    claims.create()
    for name, engine in (("a", "temporal"), ("b", "celery"), ("c", "temporal")):
        claims.claim(Claim(name, ROOT, engine, call="{}"))
    claims.end("a", "failure", 1.5)
    claims.end("b", "success", 0.5)
    claims.close()
    return path


def found(file):
    rules = parse(file.read_text())
    claims = open_claims(rules.claims)
    now = claims.now()
    try:
        return status(rules, claims.since(3_600), now + 120, 3_600.0)
    finally:
        claims.close()


def test_json(file):
    (root,) = json.loads(as_json(found(file)))["roots"]
    assert (root["percent"], root["stopped"], root["claimed"]) == (0, "too <slow>", False)
    celery, temporal = root["sides"]
    assert (celery["engine"], celery["orders"], celery["failed"], celery["p50"]) == (
        "celery", 1, 0, 0.5,
    )  # fmt: skip
    assert (temporal["orders"], temporal["open"], temporal["failed"], temporal["hanging"]) == (
        2, 1, 1, 1,
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 110])
def test_a_terminal(file, width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(as_table(found(file)))
    lines = console.export_text().splitlines()
    assert "was stopped: too <slow>" in "".join(lines)
    assert "* settled" in "".join(lines)
    # A narrow terminal breaks the name, and not the numbers.
    assert any(line.split()[-3:] == ["1.50", "s", "1"] for line in lines)


def test_a_page(file):
    page = as_html(found(file))
    assert f"<td>{ROOT}</td>" in page
    assert "too &lt;slow&gt;" in page


def test_it_is_watched_until_ctrl_c(file):
    code = "from offcanvas.cli import main; main()"
    words = ["cutover", "status", "-A", "tests.cutover.shop", "--rules", str(file), "--watch"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-W", "ignore", "-c", code, *words])  # noqa: S606  # our own
    shown = b""
    with suppress(OSError):  # the terminal ends with the process
        while chunk := os.read(terminal, 4_096):
            shown += chunk
            if shown.count(b"cut-over at") == 2:  # it was drawn a second time
                os.kill(pid, signal.SIGINT)
                shown += b"cut-over at"
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
