"""The real command line: what it prints, and its exit codes."""

import errno
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from offcanvas.audit.formats.json import schema
from offcanvas.audit.rules import all_rules
from offcanvas.cli import main

FAULTY = """from celery import shared_task


@shared_task
def mail(to):
    ...


mail.delay("a", countdown=5)
"""
CLEAN = FAULTY.replace('mail.delay("a", countdown=5)', 'mail.apply_async(("a",), countdown=5)')


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFCANVAS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tasks.py").write_text(FAULTY)
    return tmp_path / "shop"


class Ran:
    """What one run printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ran:
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["offcanvas", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
    captured = capsys.readouterr()
    code = stop.value.code
    return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)


Capture = pytest.CaptureFixture[str]


def test_findings_are_lines_and_exit_code_1(shop: Path, capsys: Capture) -> None:
    ran = run(capsys, shop, "--select", "CEL206")
    assert ran.code == 1
    assert ran.out.splitlines()[0] == (
        "tasks.py:9:1: CEL206 high: countdown goes to the task as an argument; "
        "use .apply_async(..., countdown=...)"
    )
    assert ran.out.splitlines()[-1] == "1 file (9 lines), 1 task, 0 canvases, 1 finding (1 high)"


def test_clean_is_exit_code_0(shop: Path, capsys: Capture) -> None:
    (shop / "tasks.py").write_text(CLEAN)
    assert run(capsys, shop, "--select", "CEL206").code == 0


def test_the_installed_command(shop: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("offcanvas"), "audit", shop],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"CEL206" in done.stdout


def test_a_second_run_remembers_and_notices_changes(shop: Path, capsys: Capture) -> None:
    first = run(capsys, shop, "--select", "CEL206")
    assert run(capsys, shop, "--select", "CEL206").out == first.out
    (shop / "tasks.py").write_text(CLEAN)
    assert run(capsys, shop, "--select", "CEL206").code == 0
    assert run(capsys, shop, "--select", "CEL206", "--no-cache").code == 0


# --- misuse: one line, exit code 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--select", "CEL999"], "no rule starts with 'CEL999'"),
        (["--ignore", "nonsense"], "no rule starts with 'nonsense'"),
        (["--severity", "dire"], "'dire' is not a severity"),
        (["--format", "pdf"], "unknown format 'pdf'"),
        (["--explain", "CEL20"], "did you mean CEL20"),
        (["--baseline", "nowhere.json"], "nowhere.json cannot be read"),
        (["--against", "HEAD"], "--against HEAD: "),
        (["--against", "--upload-pack=x"], "is not a git ref"),
        (["--output", "/nowhere/at/all.txt"], "cannot be written"),
    ],
)
def test_misuse(shop: Path, capsys: Capture, arguments: list[str], said: str) -> None:
    ran = run(capsys, shop, *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("offcanvas: ")
    assert ran.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.offcanvas.audit]\nselekt = []\n", "unknown key 'selekt' (did you mean select?)"),
        ("[tool.offcanvas.audit]\nselect = 206\n", "select has to be a list of strings"),
        ("[tool.offcanvas.audit]\nignore = ['CEL9']\n", "[tool.offcanvas.audit]: ignore: no rule"),
        ("[tool.offcanvas.audit]\nstrict = 1\n", "strict has to be true or false"),
        ("[tool.offcanvas.audit]\nseverity = 'x'\n", "'x' is not a severity"),
        ("[tool.offcanvas]\naudit = 3\n", "has to be a table"),
        ("[tool.", "cannot be read"),
    ],
)
def test_a_bad_pyproject(shop: Path, capsys: Capture, text: str, said: str) -> None:
    (shop / "pyproject.toml").write_text(text)
    ran = run(capsys, shop)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err


def test_a_missing_path(tmp_path: Path, capsys: Capture) -> None:
    ran = run(capsys, tmp_path / "gone")
    assert ran.code == 2
    assert "gone does not exist" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"offcanvas-baseline": 99, "findings": {}}', "has version 99, this offcanvas reads 1"),
        ('{"offcanvas-baseline": 1, "findings": {"a": "b"}}', "is damaged"),
        ('{"results": []}', "is not a baseline of offcanvas"),
        ("[", "is not JSON"),
    ],
)
def test_a_bad_baseline(shop: Path, capsys: Capture, text: str, said: str) -> None:
    baseline = shop / "baseline.json"
    baseline.write_text(text)
    ran = run(capsys, shop, "--baseline", baseline)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err


# --- files at fault are reported; the others are read


def test_files_that_cannot_be_read_are_reported_and_fail_only_when_strict(
    shop: Path, capsys: Capture
) -> None:
    (shop / "tasks.py").write_text(CLEAN)
    (shop / "broken.py").write_text("def f(:\n")
    (shop / "bytes.py").write_bytes(b"x = '\xff\xfe'\n")
    (shop / "null.py").write_bytes(b"x = 1\0\n")
    (shop / "odd.py").write_bytes(b"# coding: klingon\n")
    (shop / "huge.py").write_bytes(b"x = 1\n" * 9_000_000)
    (shop / "dangling.py").symlink_to("nowhere.py")
    (shop / "deep.py").write_text("x = " + "(" * 5_000 + ")" * 5_000 + "\n")
    ran = run(capsys, shop, "--select", "CEL206")
    assert ran.code == 0
    missing = {line.partition(":")[0] for line in ran.out.splitlines() if ": not read: " in line}
    assert missing == {
        *("broken.py", "bytes.py", "null.py", "odd.py", "huge.py", "dangling.py", "deep.py")
    }
    assert "huge.py: not read: 54 MB is more than the 5 MB that are read" in ran.out
    assert ran.out.splitlines()[-1].endswith("7 files not read")
    assert run(capsys, shop, "--select", "CEL206", "--strict").code == 1


def test_links_that_lead_around_in_a_circle(shop: Path, capsys: Capture) -> None:
    (shop / "again").symlink_to(shop)
    (shop / "self.py").symlink_to(shop / "self.py")
    ran = run(capsys, shop, "--select", "CEL206")
    assert "2 files (" in ran.out
    assert "self.py: not read: " in ran.out


def test_pipes_and_names_that_are_no_text(shop: Path, capsys: Capture) -> None:
    os.mkfifo(shop / "pipe.py")
    (shop / os.fsdecode(b"caf\xe9.py")).write_text(FAULTY)
    for format_ in ("text", "json", "sarif", "github", "markdown", "html"):
        ran = run(capsys, shop, "--select", "CEL206", "--format", format_)
        assert ran.code == 1
        assert "no regular file" in ran.out
        assert "its name is not text" in ran.out.replace("&#x27;", "'")


def test_a_folder_that_cannot_be_listed(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "locked").mkdir()
    list_folder = os.scandir

    def refuse(path: str) -> object:  # a real lock does not stop the superuser
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)
    ran = run(capsys, shop, "--select", "CEL206")
    assert "locked: not read: Permission denied" in ran.out


def test_a_folder_without_python(tmp_path: Path, capsys: Capture) -> None:
    ran = run(capsys, tmp_path)
    assert ran.code == 0
    assert "there is no Python file to read" in ran.out


def test_a_report_is_written_whole_or_not_at_all(shop: Path, capsys: Capture) -> None:
    target = shop / "report.txt"
    (shop / "link.txt").symlink_to(target)
    target.write_text("before")
    target.chmod(0o600)
    run(capsys, shop, "--output", shop / "link.txt")
    assert "CEL206" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
    assert (shop / "link.txt").is_symlink()
    assert not [*shop.glob(".*.part")]


@pytest.mark.parametrize("option", ["--output", "--write-baseline", "--fix"])
def test_nothing_is_written_through_what_a_code_base_has_laid_out(
    shop: Path, capsys: Capture, option: str
) -> None:
    victim = shop.parent / "bashrc"
    victim.write_text(FAULTY)
    written = "tasks.py" if option == "--fix" else "out"
    (shop / "tasks.py").unlink()
    (shop / f".{written}.offcanvas").symlink_to(victim)
    (shop / f".{written}.part").symlink_to(victim)
    (shop / written).symlink_to(victim)
    (shop / "other.py").write_text(FAULTY)
    where = [] if option == "--fix" else [shop / written]
    ran = run(capsys, shop, "--select", "CEL206", option, *where)
    assert ran.code == 2
    assert "leads out of" in ran.err
    assert ran.err.count("\n") == 1
    assert victim.read_text() == FAULTY
    assert (shop / written).is_symlink()


# --- what is read and shown


def test_tests_and_migrations_are_left_out_unless_asked_for(shop: Path, capsys: Capture) -> None:
    for name in (
        "tests/test_mail.py",
        "migrations/one.py",
        "conftest.py",
        ".venv/x.py",
        "gen/a.py",
    ):
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text("x = 1\n")
    (shop / "pyproject.toml").write_text("[tool.offcanvas.audit]\nexclude = ['gen']\n")
    assert "1 file (" in run(capsys, shop).out
    assert "4 files (" in run(capsys, shop, "--include-tests").out
    assert "5 files (" in run(capsys, shop, "--include-tests", "--exclude", "nothing").out


def test_severity_and_configuration(shop: Path, capsys: Capture) -> None:
    (shop / "tasks.py").write_text(FAULTY.replace("(to)", "(**options)"))
    assert "CEL206 medium" in run(capsys, shop, "--select", "CEL206").out
    assert run(capsys, shop, "--select", "CEL206", "--severity", "high").code == 0
    (shop / "pyproject.toml").write_text(
        "[tool.offcanvas.audit]\nselect = ['CEL206']\nseverity = 'high'\n"
    )
    assert run(capsys, shop).code == 0
    assert run(capsys, shop, "--severity", "low").code == 1


def test_comments_need_a_reason(shop: Path, capsys: Capture) -> None:
    ignored = FAULTY.replace("=5)", "=5)  # offcanvas: ignore[CEL206] the broker does it")
    (shop / "tasks.py").write_text(ignored)
    ran = run(capsys, shop, "--select", "CEL206")
    assert ran.code == 0
    assert "1 ignored by comments" in ran.out
    (shop / "tasks.py").write_text(ignored.replace(" the broker does it", ""))
    ran = run(capsys, shop, "--select", "CEL206")
    assert ran.code == 1
    assert "tasks.py:9: the comment gives no reason" in ran.out
    (shop / "tasks.py").write_text(ignored.replace("CEL206", "CEL301"))
    assert run(capsys, shop, "--select", "CEL206").code == 1


def test_only_what_a_baseline_does_not_know(shop: Path, capsys: Capture) -> None:
    baseline = shop / "baseline.json"
    ran = run(capsys, shop, "--select", "CEL206", "--write-baseline", baseline)
    assert ran.code == 0
    assert "1 findings written" in ran.err
    moved = "# a line more\n" + FAULTY
    (shop / "tasks.py").write_text(moved)
    ran = run(capsys, shop, "--select", "CEL206", "--baseline", baseline)
    assert ran.code == 0
    assert "1 known from the baseline" in ran.out
    (shop / "tasks.py").write_text(moved + 'mail.delay("b", queue="x")\n')
    ran = run(capsys, shop, "--select", "CEL206", "--baseline", baseline)
    assert ran.code == 1
    assert ran.out.startswith("tasks.py:11:1: CEL206")


def test_explain_tells_everything(capsys: Capture) -> None:
    ran = run(capsys, "--explain", "exec-option-in-delay")
    assert ran.code == 0
    document = all_rules()["CEL206"].document
    for part in (document.summary, "Bad:", "Good:", "Prefect:", "Temporal:", "Source: https://"):
        assert part in ran.out


# --- fixes


def test_diff_changes_nothing_and_fix_does(shop: Path, capsys: Capture) -> None:
    ran = run(capsys, shop, "--select", "CEL206", "--diff")
    assert ran.code == 1
    assert '+mail.apply_async(("a",), countdown=5)' in ran.out
    assert (shop / "tasks.py").read_text() == FAULTY
    ran = run(capsys, shop, "--select", "CEL206", "--fix")
    assert (shop / "tasks.py").read_text() == CLEAN
    assert ran.code == 0
    assert "1 findings cured in 1 files" in ran.err


# --- formats for machines


def test_json_follows_its_schema(shop: Path, capsys: Capture) -> None:
    (shop / "flows.py").write_text(
        "from celery import chord, group\nfrom tasks import mail\n"
        "def go(xs, more):\n    chord([mail.s(x) for x in xs] + more)(mail.si(1)).get()\n"
    )
    ran = run(capsys, shop, "--format", "json")
    said: dict[str, Any] = json.loads(ran.out)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(said, schema())
    assert said["inventory"]["tasks"][0]["name"] == "tasks.mail"
    assert said["inventory"]["tasks"][0]["call_sites"] == 3
    outline = said["inventory"]["canvases"][0]["outline"]
    assert [p["kind"] for p in outline["parts"]] == ["task", "unknown"]
    assert outline["body"]["immutable"] is True


def test_sarif_follows_its_schema(shop: Path, capsys: Capture) -> None:
    (shop / "broken.py").write_text("def f(:\n")
    said = json.loads(run(capsys, shop, "--format", "sarif", "--select", "CEL206").out)
    text = files("tests.audit").joinpath("sarif-2.1.0-subset.json").read_text("utf-8")
    jsonschema.validate(said, json.loads(text))
    result = said["runs"][0]["results"][0]
    rules = said["runs"][0]["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "CEL206"
    assert len({r["id"] for r in rules}) == len(all_rules())


def test_github_commands_are_escaped(shop: Path, capsys: Capture) -> None:
    (shop / "a,b.py").write_text(FAULTY)
    out = run(capsys, shop, "--format", "github", "--select", "CEL206").out
    assert "::error file=a%2Cb.py,line=9,endLine=9,col=1,title=CEL206::countdown goes" in out


def test_an_html_report_is_one_file(shop: Path, capsys: Capture) -> None:
    (shop / "tasks.py").write_text(FAULTY + "\n# <script>\nchain = mail.s(1) | mail.si(2)\n")
    out = shop / "report.html"
    assert run(capsys, shop, "--format", "html", "--output", out).code == 1
    page = out.read_text()
    assert page.startswith("<!doctype html>")
    assert "data:image/svg+xml;base64," in page
    assert not re.search(r"(src|href)=\"https?:", page)
    assert "prefers-color-scheme: dark" in page
    targets = {*re.findall(r'href="#([^"]+)"', page)}
    assert targets <= {*re.findall(r'id="([^"]+)"', page)}
    assert "CEL206" in targets


def test_an_html_report_says_what_a_port_would_take(shop: Path, capsys: Capture) -> None:
    """By the code that ports: one canvas can be ported, the other has a part to be written."""
    (shop / "tasks.py").write_text(
        FAULTY
        + """
from celery import chain

def both(): return mail.s(1) | mail.si(2)

def grown(rows):
    steps = [mail.s(1)]
    while rows:
        steps.append(mail.si(rows.pop()))
    return chain(*steps)
"""
    )
    page = run(capsys, shop, "--format", "html").out
    assert "1 of 2 functions that build or send canvases can be ported" in page
    assert re.search(r"<code>both</code><td><b>works, with decisions</b>", page)
    assert re.search(r"<code>grown</code><td><b>has parts to be written</b>.*PORT215", page)


def test_a_markdown_report_draws_the_canvases(shop: Path, capsys: Capture) -> None:
    (shop / "tasks.py").write_text(FAULTY + "\nboth = mail.s(1) | mail.si(2)\n")
    out = run(capsys, shop, "--format", "markdown").out
    assert "### `tasks.py:11`" in out
    (shop / "tasks.py").write_text(
        "from celery import group\n" + FAULTY + "\nall_ = group(mail.s(x) for x in y)\n"
    )
    assert "group of 1" not in run(capsys, shop, "--format", "markdown").out
    assert "```mermaid" in out
    assert "Effort: **small** (2 signatures, 1 deep)" in out


def test_against_a_git_ref(shop: Path, capsys: Capture) -> None:
    git = ["git", "-C", str(shop), "-c", "user.name=n", "-c", "user.email=n@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    assert run(capsys, shop, "--select", "CEL206", "--against", "HEAD").code == 1
    ran = run(capsys, shop, "--against", "elsewhere")
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_what_is_no_python_file_is_refused(shop: Path, capsys: Capture) -> None:
    other = shop / "hostname"
    other.write_text("localhost\n")
    for path in (other, Path(os.devnull)):
        ran = run(capsys, path)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(
            f"offcanvas: {path} is not a Python file; give a folder or a file"
        )
    other.write_text(f"#!/usr/bin/env python3\n{FAULTY}")
    assert run(capsys, other).code == 1


# --- lists with commas, and what the findings do not tell

MANY = """
from celery import chord, group, shared_task
from django.db import models

class Stall(models.Model): ...

@shared_task
def clean(ids): ...

@shared_task
def close(results): ...

def end(parallel, work):
    chord([clean.si(s) for s in Stall.objects.filter(open=False)])(close.s())
    group(work).delay()
    clean.delay(1, countdown=3)
"""


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (["--select", "CEL402,CEL206"], {"CEL402", "CEL206"}),
        (["--select", "CEL402, cel206", "--ignore", "CEL4"], {"CEL206"}),
        (["--select", "CEL4,CEL206", "--ignore", "CEL404,CEL402"], {"CEL206"}),
        (["--select", "CEL402", "--select", "CEL206"], {"CEL402", "CEL206"}),
    ],
)
def test_lists_with_commas(
    shop: Path, capsys: Capture, arguments: list[str], codes: set[str]
) -> None:
    (shop / "tasks.py").write_text(MANY)
    ran = run(capsys, shop, *arguments)
    assert set(re.findall(r":\d+: (CEL[0-9]+) ", ran.out)) == codes


def test_lists_with_commas_in_pyproject(shop: Path, capsys: Capture) -> None:
    (shop / "tasks.py").write_text(MANY)
    (shop / "pyproject.toml").write_text(
        '[tool.offcanvas.audit]\nselect = "CEL402,CEL206"\nignore = ["CEL206,CEL5"]\n'
    )
    assert set(re.findall(r":\d+: (CEL[0-9]+) ", run(capsys, shop).out)) == {"CEL402"}


def test_an_unknown_code_in_a_list_says_which_exist(shop: Path, capsys: Capture) -> None:
    ran = run(capsys, shop, "--select", "CEL402,CEL9")
    assert ran.code == 2
    assert "no rule starts with 'CEL9'" in ran.err
    assert "there are CEL000, CEL101" in ran.err
    assert ran.err.count("\n") == 1


def test_alone_it_reads_the_current_folder(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    assert "tasks.py:9:1: CEL206" in run(capsys).out


FORMATS_THAT_TELL = ["text", "json", "sarif", "github", "markdown", "html"]


@pytest.mark.parametrize("format_", FORMATS_THAT_TELL)
def test_what_the_findings_do_not_tell(shop: Path, capsys: Capture, format_: str) -> None:
    (shop / "tasks.py").write_text(MANY)
    ran = run(capsys, shop, "--format", format_, "--severity", "high")
    assert ran.code == 1
    assert "below the level shown (CEL000, CEL104, CEL203, CEL402, CEL404)" in ran.out
    assert "1 canvas has members that the source does not tell" in ran.out
    assert "no Celery app was found" in ran.out
    everything = run(capsys, shop, "--format", format_, "--severity", "porting")
    assert "below the level shown" not in everything.out
    if format_ == "text":
        assert ran.out.splitlines()[-1].startswith("1 file (")


def test_a_project_without_a_task_that_imports_celery_is_not_clean(
    shop: Path, capsys: Capture
) -> None:
    (shop / "tasks.py").write_text("from celery import Celery\napp = Celery('shop')\n")
    ran = run(capsys, shop, "--ignore", "CEL5")
    assert ran.code == 1
    assert "imports Celery and no task was found" in ran.out
    (shop / "tasks.py").write_text("import itertools\n")
    ran = run(capsys, shop)
    assert (ran.code, ran.out.count("\n")) == (0, 1)


def test_functions_that_may_be_tasks_are_not_clean(shop: Path, capsys: Capture) -> None:
    (shop / "tasks.py").write_text(
        "import celery\nfrom plain import board\n\n@board.task\ndef grind(lot): ...\n\n"
        "@celery.shared_task(time_limit=9)\ndef ring(): ...\n"
    )
    ran = run(capsys, shop)
    assert ran.code == 1
    assert "1 function may be tasks and cannot be told" in ran.out
    assert "(tasks.py:5: grind)" in ran.out
