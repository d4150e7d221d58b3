"""`offcanvas compare` on real servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from offcanvas.cli import main; main()"
SHOP = """
from celery import Celery, chord

app = Celery("shop", broker="memory://", backend="cache+memory://")


@app.task
def double(number):
    return 2 * number


@app.task
def total(numbers):
    return sum(numbers)


def flow(count=3):
    return chord([double.s(n) for n in range(count)], total.s())
"""


def compare(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAIN, "compare", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.servers
def test_a_canvas_on_celery_and_temporal(tmp_path):
    page = tmp_path / "page.html"
    words = ("shop:flow", "--on", "temporal", "--repeat", "2", "--format", "json")
    done = compare(tmp_path, *words, "--html", str(page))
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Really running shop.double, shop.total, 2 times on each of: ")
    engines = json.loads(done.stdout)["engines"]
    assert [*engines] == ["celery", "temporal"]
    for engine in engines.values():
        assert engine["verdict"] == "same"
        for run in engine["runs"]:
            assert [a["name"] for a in run["attempts"]].count("shop.double") == 3
            assert 0 < run["first"] <= run["makespan"]
            assert 0 < run["busy"] <= run["makespan"]
            assert min(run[who]["memory"] for who in ("worker", "server")) > 1_000_000
            assert run["worker"]["cpu"] > 0
    assert page.read_text().count("<svg") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shop:flow", "--repeat", "0"], "'--repeat'"),
        (["shop:flow", "--repeat", "some"], "'--repeat'"),
        (["shop:nowhere"], "shop has no nowhere"),
        (["shop:flow", "--on", "mars"], "mars"),
        (["shop:flow", "--timeout", "0"], "'--timeout'"),
        (["shop:flow", "--on", "celery"], "--on celery: it is what engines are compared with"),
        (["shop:flow", "--html", "/nowhere/page.html"], "/nowhere/page.html cannot be written: No"),
        (["shop:flow", "--html", "."], ". cannot be written: Is a directory"),
    ],
)
def test_misuse(tmp_path, words, said):
    done = compare(tmp_path, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert said in line
