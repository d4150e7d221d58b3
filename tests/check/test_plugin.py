"""The pytest plugin in somebody's own suite, with pytest in a process of its own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

APP = (Path(__file__).parent / "shop.py").read_text(encoding="utf-8")
SUITE = """
import pytest
from shop import app, double, not_json, report, reversed_by_celery
from offcanvas.errors import UsageError


def test_report(assert_same_on, canvas_engines):
    assert_same_on(canvas_engines)(report(width=3))
    assert app.conf.broker_url == "redis://127.0.0.1:1"


def test_arguments(assert_same_on):
    assert_same_on("memory")(double.s(), 21)


def test_reversed(assert_same_on):
    assert_same_on("memory")(reversed_by_celery())


def test_reversed_strictly(assert_same_on, canvas_engines):
    assert_same_on(canvas_engines)(reversed_by_celery(), strict_celery=True)


def test_misuse(assert_same_on):
    with pytest.raises(UsageError, match="JSON"):
        assert_same_on("memory")(not_json())
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1")
    pytester.makepyfile(shop=APP, test_shop=SUITE)
    pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\nfilterwarnings = ['error']\n"
        "asyncio_default_fixture_loop_scope = 'function'\n"  # a plugin of ours asks for it
    )
    return pytester


@pytest.mark.servers
def test_canvases_are_compared_with_servers_that_stay_up(suite):
    ran = suite.runpytest_subprocess("--offcanvas-on", "memory", "--offcanvas-on", "temporal")
    ran.assert_outcomes(passed=4, failed=1)
    ran.stdout.fnmatch_lines(
        [
            "*answer: get() returns [[]2, 4, 6[]]; on Celery it returns [[]2, 6, 4[]]",
            "FAILED test_shop.py::test_reversed*",
        ]
    )


def test_the_engines_are_those_of_the_option_or_the_ini_file(pytester):
    pytester.makepyfile(
        """
        def test_names(canvas_engines):
            assert canvas_engines == ("memory", "prefect")
        """
    )
    pytester.runpytest_subprocess(
        "--offcanvas-on", "memory", "--offcanvas-on", "prefect"
    ).assert_outcomes(passed=1)
    pytester.makeini("[pytest]\noffcanvas_on = memory prefect\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_without_a_fixture_nothing_of_celery_is_imported(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_light():
            assert not {"celery", "kombu", "temporalio", "prefect"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
