"""The program of docs/compare.md is the one that the test of the command runs."""

import re
from pathlib import Path

from tests.comparing.test_command import SHOP

PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")


def test_the_page_shows_the_program_that_is_tested():
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert source.strip() == SHOP.strip()


def test_the_command_of_the_page_is_one():
    (command,) = re.findall(r"```sh\noffcanvas (.*?)\n```", PAGE)
    name, target, *words = command.split()
    assert (name, target) == ("compare", "shop:flow")
    from typer.testing import CliRunner

    from offcanvas.cli import app

    # Understood as far as the target, which is not there.
    done = CliRunner().invoke(app, [name, "nowhere:flow", *words])
    assert "importing nowhere failed" in str(done.exception)
