"""What the workers' commands do not understand is one line, and exit code 2."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        ([], {}, "Missing argument 'MODULE:APP'"),
        (["shop:app", "--nonsense"], {}, "No such option: --nonsense"),
        (["shop:app"], {"OFFCANVAS_METRICS_PORT": "abc"}, "'--metrics-port' (env var"),
    ],
)
def test_what_the_parser_does_not_know_is_one_line(engine, words, settings, told):
    ran = subprocess.run(
        [sys.executable, "-m", f"offcanvas.engines.{engine}", *words],
        check=False, capture_output=True, text=True, env={**os.environ, **settings},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("offcanvas: ")
    assert told in line
