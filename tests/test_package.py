"""The distributions: both build, and the wheel works with no extra and with each alone."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SHOP = """
from celery import Celery

app = Celery("shop")

@app.task
def add(x):
    return x + 1
"""

pytestmark = pytest.mark.packages


def uv(*arguments):
    done = subprocess.run(
        [UV, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the wheel and the sdist; and the lock's versions as constraints."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--out-dir", folder)
    locked = re.findall(
        r"^([\w.-]+==[^\\\n]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M
    )
    (folder / "constraints.txt").write_text("\n".join(locked), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture
def installed(built, wheel, tmp_path):
    """Installs the wheel with an extra into an empty environment; gives its folder of programs."""

    def install(extra):
        uv("venv", "--quiet", "--python", sys.executable, tmp_path / "env")
        wanted = (
            f"offcanvas[{extra}] @ {wheel.as_uri()}" if extra else f"offcanvas @ {wheel.as_uri()}"
        )
        python = tmp_path / "env" / "bin" / "python"
        limits = ("--constraint", built / "constraints.txt")
        uv("pip", "install", "--quiet", "--python", python, *limits, wanted)
        (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
        return python.parent

    return install


def ran(programs, name, *arguments):
    return subprocess.run(
        [programs / name, *arguments],
        cwd=programs.parents[1],
        env={"PATH": str(programs), "HOME": str(programs.parents[1])},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_what_is_in_them(built, wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"offcanvas"}
    assert {"offcanvas/py.typed", "offcanvas/audit/formats/schema.json"} <= set(names)
    kept = {path.relative_to(ROOT).as_posix() for path in (ROOT / "offcanvas").rglob("*.py")}
    assert kept <= set(names)
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert {"README.md", "LICENSE", "offcanvas/cli.py", "tests/conftest.py"} <= inside
    assert not any(name.startswith((".venv", "site/", "comparisons-out")) for name in inside)


def test_what_the_index_is_told(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (one for one in archive.namelist() if one.endswith("/METADATA"))
        told = archive.read(path).decode()
    assert f"Version: {PROJECT['version']}\n" in told
    for name, address in PROJECT["urls"].items():
        assert f"Project-URL: {name}, {address}\n" in told
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {PROJECT['version']} (" in changes


#: What each extra lets the kit do: the commands with their status and what they say.
MISSING = {
    "": {
        ("show", "shop:add", "--arg", "1"): "No module named 'celery'",
        ("run", "shop:add", "--arg", "1"): "pip install 'offcanvas[celery]'",
        ("check", "shop:add", "--arg", "1"): "pip install 'offcanvas[celery]'",
    },
    "celery": {
        ("run", "shop:add", "--arg", "1", "--on", "temporal"): "pip install 'offcanvas[temporal]'",
        ("run", "shop:add", "--arg", "1", "--on", "prefect"): "pip install 'offcanvas[prefect]'",
    },
    "temporal": {
        ("show", "shop:add", "--arg", "1"): "No module named 'celery'",
        ("run", "shop:add", "--on", "temporal"): "pip install 'offcanvas[celery]'",
    },
    "prefect": {
        ("show", "shop:add", "--arg", "1"): "No module named 'celery'",
        ("run", "shop:add", "--on", "prefect"): "pip install 'offcanvas[celery]'",
    },
    "metrics": {("run", "shop:add", "--arg", "1"): "pip install 'offcanvas[celery]'"},
    "tracing": {("run", "shop:add", "--arg", "1"): "pip install 'offcanvas[celery]'"},
    "cutover": {
        ("run", "shop:add", "--arg", "1", "--on", "temporal"): "pip install 'offcanvas[temporal]'",
    },
}


def test_every_engine_has_its_extra_here():
    assert set(MISSING) == {"", *PROJECT["optional-dependencies"]} - {"reference", "dev", "docs"}


@pytest.mark.parametrize("extra", MISSING)
def test_the_wheel_alone(installed, extra):
    programs = installed(extra)
    shown = ran(programs, "offcanvas", "--version")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == f"offcanvas {PROJECT['version']}\n"
    program = "import offcanvas; print(offcanvas.__version__, offcanvas.OffcanvasError.__name__)"
    assert ran(programs, "python", "-c", program).stdout == f"{PROJECT['version']} OffcanvasError\n"
    audited = ran(programs, "offcanvas", "audit", "shop.py", "--select", "CEL104")
    assert (audited.returncode, audited.stderr) == (1, "")
    assert "1 task," in audited.stdout
    for arguments, why in MISSING[extra].items():
        refused = ran(programs, "offcanvas", *arguments)
        assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
        assert refused.stderr.count("\n") == 1
        assert why in refused.stderr
    if extra == "celery":
        done = ran(programs, "offcanvas", "run", "shop:add", "--arg", "1")
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "2\n")
