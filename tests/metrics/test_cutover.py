"""Claims that were never sent, as the sweep of a move tells them."""

import os
import subprocess
import sys
import time

import pytest

from offcanvas.cutover.claims import SUCCESS, Claim
from offcanvas.cutover.look import look
from offcanvas.cutover.stores import open_claims
from tests.metrics.scraping import eventually, free_port, value

SHOP = """
from celery import Celery

app = Celery("shop", broker="memory://", backend="file:///tmp")


@app.task
def pay(order):
    return order
"""
RULES = """
[cutover]
claims = "CLAIMS"

[root."shop.pay"]
to = "temporal"
percent = 10
"""


@pytest.fixture
def claims(tmp_path):
    made = open_claims(f"sqlite:///{tmp_path / 'claims.db'}")
    made.create()
    yield made
    made.close()


def test_a_claim_is_unsent_until_it_is_sent_and_unfinished_until_it_has_ended(claims):
    claims.claim(Claim("a", "shop.pay", "temporal", made=time.time() - 60))
    seen = look(claims, 0.0)
    assert (seen.unsent, seen.runs.count) == (1, 1)
    assert seen.runs.since == claims.get("a").made
    claims.note_sent(["a"])
    seen = look(claims, 0.0)
    assert (seen.unsent, seen.runs.count) == (0, 1)
    claims.end("a", SUCCESS, 1.0)
    seen = look(claims, 0.0)
    assert (seen.unsent, seen.runs.count, seen.runs.since) == (0, 0, None)


@pytest.mark.servers
def test_the_sweep_tells_it(claims, tmp_path):
    (tmp_path / "shop.py").write_text(SHOP)
    rules = tmp_path / "cutover.toml"
    rules.write_text(RULES.replace("CLAIMS", f"sqlite:///{tmp_path / 'claims.db'}"))
    claims.claim(Claim("a", "shop.pay", "celery", made=time.time()))
    port = free_port()
    sweep = subprocess.Popen(
        [sys.executable, "-c", "from offcanvas.cli import main; main()", "cutover", "sweep",
         "--app", "shop:app", "--rules", str(rules), "--every", "1",
         "--older", "0", "--metrics-port", str(port)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        eventually(port, lambda seen: value(seen, "offcanvas_up", engine="cutover") == 1)
        seen = eventually(
            port,
            lambda seen: value(seen, "offcanvas_recovery_unsent", engine="cutover") is not None,
        )
        assert value(seen, "offcanvas_runs_unfinished", engine="cutover") in {0, 1}
    finally:
        sweep.terminate()
        sweep.communicate(timeout=30)
