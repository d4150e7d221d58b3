"""CONTRIBUTING.md, RELEASING.md and what they lead to: each command is one that a test runs."""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import celery
import pytest

ROOT = Path(__file__).parents[2]
TEXT = "".join((ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", "RELEASING.md"))
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
#: What each does in the end, and the test that runs it.
RUNS = {
    "make .venv/.ready": ("", "tests/test_make.py"),
    "make pages": ("-m offcanvas.engines.support_page", "tests/engines/test_support.py"),
    "make test ARGS=tests/shared": ("-m tests tests/shared", "tests/test_runner.py"),
    'make test ARGS="-k walker"': ("-m tests -k walker", "tests/test_runner.py"),
    "make docs": ("-m mkdocs build --strict", "tests/docs/test_site.py"),
    "uv build --out-dir dist": ("", "tests/test_package.py"),
}


def test_every_command_has_a_test():
    assert set(COMMANDS) == set(RUNS)
    assert all((ROOT / where).is_file() for _, where in RUNS.values())


@pytest.mark.parametrize("command", [one for one in RUNS if one.startswith("make")])
def test_make_does_what_the_page_says(command):
    words = [word.replace('"', "") for word in re.split(r" (?=ARGS)", command)]
    plan = subprocess.run(
        ["make", "-n", *words[0].split()[1:], *words[1:]],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert RUNS[command][0] in plan.stdout


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("offcanvas.engines.support_page", "docs/support.md"),
        ("offcanvas.audit.reference", "docs/audit-rules.md"),
        ("docs.tools.concepts", None),
    ],
)
def test_pages_are_what_the_code_prints(module, page):
    assert f"python -m {module}" in (ROOT / "docs" / "concepts.md").read_text("utf-8") + "".join(
        path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")
    )
    ran = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith(("# ", "| Celery"))
    assert page is None or ran.stdout == (ROOT / page).read_text("utf-8")


def test_what_the_architecture_names_is_there():
    text = "".join(
        (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/architecture.md")
    )
    named = set(re.findall(r"`((?:[\w.*-]+/)+[\w.*-]*)`", text))
    assert {"celery_app/freezing.py", "tests/differential"} <= named
    places = (ROOT, ROOT / "offcanvas", Path(celery.__file__).parents[1])
    assert [one for one in named if not any(any(place.glob(one)) for place in places)] == []
    for module, name in ("canvas.planner", "Planner._chord"), ("engines.walker", "Walker._chord"):
        assert f"`{name}`" in text
        assert callable(attrgetter(name)(import_module(f"offcanvas.{module}")))


def test_files_that_the_pages_name_are_there():
    named = re.findall(r"`((?:offcanvas|tests|comparisons|shared|\.github)/[\w/.-]+)`", TEXT)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_layers_of_the_architecture_are_in_the_order_of_the_contract():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (kit,) = (one for one in contract["contracts"] if one.get("exhaustive"))
    place = {name: i for i, one in enumerate(kit["layers"]) for name in re.findall(r"\w+", one)}
    table = page.partition("## The layers")[2].partition("## ")[0]
    told = [
        name
        for row in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]
    assert len(told) > 10
    assert [place[name] for name in told] == sorted(place[name] for name in told)


def test_the_layout_names_the_folders_that_there_are():
    named = re.findall(r"^(\w+)/ +\w", TEXT, re.MULTILINE)
    assert all((ROOT / name).is_dir() for name in named)
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} <= set(named)
