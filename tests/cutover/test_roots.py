"""Which root a call is: functions are known wherever their module calls cut_over."""

import os
import subprocess
import sys

import pytest

HEAD = """
import os
from celery import Celery, chain, chord
from offcanvas.cutover import cut_over
app = Celery("shop", broker="memory://", backend="cache+memory://")
"""
SWITCH = "cut_over(app, 'cutover.toml')\n"
TASKS = """
@app.task
def add(a, b=1):
    return a + b
"""
BUILDER = """
def order(number, pages=2):
    return chord([add.si(number) for _ in range(pages)], add.s())
def sends(number):
    return chain(add.s(number), add.s()).delay()
def single(number):
    return add.s(number)
"""
RULES = '[cutover]\nclaims = "sqlite:///claims.db"\n' + "".join(
    f'[root."{name}"]\nto = "temporal"\nclaims = true\nkey = "number"\n'
    for name in (
        "shop:order",
        "shop:sends",
        "shop:single",
        "builders:order",
        "builders:sends",
        "builders:single",
    )
)
SEEN = """
import sys
from offcanvas.cutover import roots, router
def seen(self, signature, args, kwargs, options):
    print(roots.root_of(signature))
    return app.AsyncResult("x")
router.CutOver.submit = seen
"""
NAMES = "from shop import app, order, sends, single"
ELSEWHERE = "from shop import app\nfrom builders import order, sends, single"
FIRST = "order(7).delay()\nsends(number=8)\nsingle(9).delay()\n"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"shop": HEAD + SWITCH + TASKS + BUILDER}, NAMES),
        ({"shop": HEAD + TASKS + BUILDER + SWITCH}, NAMES),
        (
            {"shop": HEAD + SWITCH + TASKS,
             "builders": "from celery import chain, chord\nfrom shop import add\n" + BUILDER},
            ELSEWHERE,
        ),
        (
            {"shop": HEAD + TASKS + SWITCH,
             "builders": "from celery import chain, chord\nfrom shop import add\n" + BUILDER},
            f"import builders\n{ELSEWHERE}",
        ),
    ],
)  # fmt: skip
def test_the_first_call_is_known(tmp_path, files, code):
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "cutover.toml").write_text(RULES)
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{code}\n{SEEN}\n{FIRST}"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    module = "builders" if "builders" in files else "shop"
    assert ran.stdout.splitlines() == [
        f"('{module}:order', {{'number': 7, 'pages': 2}})",
        f"('{module}:sends', {{'number': 8}})",
        f"('{module}:single', {{'number': 9}})",
    ]
