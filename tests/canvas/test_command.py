import json
import os

import pytest

from tests.preloaded import command


def show(*arguments, cwd):
    return command(["show", *arguments], cwd, {**os.environ, "COLUMNS": "200"})


def test_a_function_with_arguments_as_a_tree(tmp_path):
    ran = show("tests.canvas.shop:flow", "--arg", "width=12", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "7 more: 7 x chain" in ran.stdout


@pytest.mark.parametrize(("form", "starts"), [("mermaid", "flowchart LR\n"), ("svg", "<svg ")])
def test_drawings(form, starts, tmp_path):
    ran = show("tests.canvas.shop:flow", "--format", form, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(starts)


def test_a_canvas_that_is_sent_and_not_returned(tmp_path):
    ran = show("-A", "tests.canvas.shop", "tests.canvas.shop:sends", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0] == "chain of 2 steps"


def test_a_signature_as_json(tmp_path):
    ran = show("tests.canvas.shop:lone", "--format", "json", cwd=tmp_path)
    assert json.loads(ran.stdout)["canvas"]["args"] == ["an order"]


def test_a_task_takes_the_arguments(tmp_path):
    ran = show("tests.canvas.shop:price", "--arg", "7", "--arg", "currency=EUR", cwd=tmp_path)
    assert ran.stdout == "orders.price(7, currency='EUR')\n"


def test_modules_of_the_current_directory_are_found(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from celery import Celery\napp = Celery('m')\n"
        "@app.task(name='mine.go')\ndef go(): ...\nflow = go.s() | go.s()\n"
    )
    ran = show("mine:flow", cwd=tmp_path)
    assert ran.stdout.splitlines()[0] == "chain of 2 steps"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere: write it as package.module:name"),
        (["no.such:thing"], "importing no.such failed with ModuleNotFoundError"),
        (["tests.canvas.shop:nothing"], "tests.canvas.shop has no nothing"),
        (["tests.canvas.shop:app"], "is a Celery, neither a canvas nor"),
        (["tests.canvas.shop:broken"], "calling it failed with ValueError: no orders today"),
        (["tests.canvas.shop:no_canvas"], "returned an int, not a canvas, and sent none"),
        (["tests.canvas.shop:sends_two"], "sends 2 canvases (orders.load(1), ops.alarm(2)); write"),
        (["-A", "no_such_app", "tests.canvas.shop:lone"], "No module named 'no_such_app'"),
        (["tests.canvas.shop:flow", "--arg", "a", "--arg", "b"], "check --arg"),
        (["tests.canvas.shop:lone", "--arg", "a"], "it takes no --arg"),
        (["tests.canvas.shop:leaves"], "calling it failed with SystemExit: 5"),
        (["tests.canvas.shop:later"], "is a coroutine function; write a plain one that returns it"),
        (["tests.canvas.shop:lone", "extra"], "unexpected extra argument(s) (extra) (--help tells"),
        (["tests.canvas.shop:lone", "--nope"], "No such option: --nope"),
        (["tests.canvas.shop:lone", "--format", "gif"], "'gif' is not one of"),
        ([], "Missing argument 'TARGET'. (--help tells more)"),
        (["tests.canvas.shop:not_a_canvas"], "is a dict, neither a canvas nor"),
    ],
)
def test_bad_targets_are_one_line_and_exit_2(arguments, says, tmp_path):
    ran = show(*arguments, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("offcanvas: ")
    assert ran.stderr.count("\n") == 1
    assert says in ran.stderr


def test_an_unknown_format_exits_2(tmp_path):
    ran = show("tests.canvas.shop:lone", "--format", "gif", cwd=tmp_path)
    assert ran.returncode == 2
    assert "gif" in ran.stderr
