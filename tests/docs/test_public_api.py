"""The public names are those of the documentation, and each is there when it is asked for."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import offcanvas
from offcanvas import cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
TYPED = (ROOT / "tests" / "typing" / "api.py").read_text(encoding="utf-8")


def test_the_documentation_has_every_public_name_and_no_other():
    documented = re.findall(r"^::: offcanvas\.(\w+)$", PAGE, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert {*documented, "__version__"} == set(offcanvas.__all__)
    assert "`offcanvas.__version__`" in PAGE


def test_the_typed_program_uses_every_public_name():
    assert [name for name in offcanvas.__all__ if not re.search(rf"\b{name}\b", TYPED)] == []


@pytest.mark.parametrize("name", offcanvas.__all__)
def test_a_name_is_there_and_documented(name):
    found = getattr(offcanvas, name)
    assert name in dir(offcanvas)
    assert isinstance(found, str) or inspect.getdoc(found)


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    program = (
        "import sys, offcanvas; dir(offcanvas); offcanvas.__version__; offcanvas.OffcanvasError;"
        "print(sorted({'celery', 'kombu', 'temporalio', 'prefect', 'libcst'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = offcanvas.walk
    with pytest.raises(ImportError, match="cannot import name 'walk'"):
        from offcanvas import walk  # noqa: F401


@pytest.mark.parametrize("name", ["run", "check"])
def test_a_command_takes_what_its_function_takes(name):
    command = typer.main.get_command(cli.app).commands[name]
    options = {one.name for one in command.params}
    # A command has the call in its target and --arg, and options about printing besides.
    of_the_call = {"signature", "args", "kwargs", "options"}
    parameters = set(inspect.signature(getattr(offcanvas, name)).parameters) - of_the_call
    assert {"on", "app", "timeout"} <= parameters
    assert parameters <= options


def test_the_formats_of_show_are_those_of_its_command():
    from offcanvas._show import _FORMATS
    from offcanvas.commands.show import Format

    assert [one.value for one in Format] == list(_FORMATS)
