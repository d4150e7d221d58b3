"""The command itself, on real servers and workers."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from jsonschema import Draft202012Validator

from comparisons.__main__ import app
from comparisons.export import SCHEMA
from offcanvas.meter import tree
from offcanvas.servers.base import free_port
from shared.cli import run
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("celery", "prefect", "temporal")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder to be watched; its path is short, as that of a socket has to be."""
    with tempfile.TemporaryDirectory(prefix="occ-") as folder:
        yield Path(folder)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Ours without any setting, and with a temporary folder that is watched."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    return {**kept, "TMPDIR": str(folder), **more}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "comparisons", *words]


@pytest.mark.servers
def test_three_engines_end_to_end(tmp_path: Path, temporary: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        command(
            "timing", "--voters", "1200", "--variants", "chord_by_station,error_in_header",
            "--workloads", "noop:3", "--repeat", "1", "--concurrency", "2", "--keep-rolls",
            "--out", str(out),
        ),
        cwd=ROOT, env=environment(temporary), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    data = json.loads((out / "results.json").read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(data)
    assert data["agrees"] is True
    jobs = ("chord_by_station", "error_in_header", "noop:3")
    assert sorted((each["job"], each["engine"]) for each in data["runs"]) == sorted(
        (job, engine) for job in jobs for engine in ENGINES
    )
    for each in data["runs"]:
        assert each["makespan"] > 0
        assert each["workers"]["cpu_seconds"] is not None
        assert each["servers"]["peak_memory_bytes"] > 0
        assert len(each["timeline"]) >= (3 if each["job"] == "noop:3" else 1), each
        parts = each["parts"]
        assert parts["assignment"] + parts["execution"] + parts["transition"] == pytest.approx(
            each["makespan"], abs=0.001
        )
        assert (each["first_roll"] is None) == (each["job"] == "noop:3")
    stations = data["roll_book"]["stations"]
    rolls = {folder.name: {file.name for file in folder.iterdir()}
             for folder in (out / "rolls").iterdir()}  # fmt: skip
    assert set(rolls) == {f"{job}-{engine}-1" for job in jobs[:2] for engine in ENGINES}
    for engine in ENGINES:
        whole = rolls[f"chord_by_station-{engine}-1"]
        assert len(whole) == stations > 1
        assert whole == rolls["chord_by_station-celery-1"]
        assert len(whole - rolls[f"error_in_header-{engine}-1"]) == 1
    page = (out / "report.html").read_text(encoding="utf-8")
    for sentence in data["sentences"]:
        assert sentence in page.replace("&#39;", "'")
        assert sentence in " ".join(done.stdout.split())
    shown = re.sub(r'id="plotly">.*?</script>', "", page, flags=re.DOTALL) + json.dumps(data)
    for ours in (str(ROOT), str(tmp_path), str(temporary), os.uname().nodename):
        assert not re.search(rf"(?<!\w){re.escape(ours)}(?!\w)", shown), ours
    assert sorted(file.name for file in out.iterdir()) == ["report.html", "results.json", "rolls"]
    assert list(temporary.iterdir()) == []


@contextmanager
def running(words: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own; whatever it leaves is killed afterwards."""
    with subprocess.Popen(
        command(*words), cwd=ROOT, env=environment(temporary), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            for left in tree([process.pid]):
                left.kill()


def family_once(process: subprocess.Popen[str], ready: object) -> list[psutil.Process]:
    """All processes below it, once `ready()` is true; fails when the command ends before."""
    while not ready():  # type: ignore[operator] # a callable without arguments
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("number", "status", "moment"),
    [
        (signal.SIGINT, 130, "oc-*/oc-temporal-*"),  # servers are starting
        # A run is under way.
        pytest.param(signal.SIGINT, 130, "oc-*/rolls/*-temporal-*", marks=pytest.mark.long),
        (signal.SIGTERM, 143, "oc-*/rolls/*-temporal-*"),
    ],
)
def test_after_a_signal_nothing_is_left(
    tmp_path: Path, temporary: Path, number: signal.Signals, status: int, moment: str
) -> None:
    out = tmp_path / "out"
    words = ["timing", "--engines", "celery,temporal", "--voters", "3000", "--repeat", "50"]
    with running([*words, "--out", str(out)], temporary) as process:
        family = family_once(process, lambda: list(temporary.glob(moment)))
        assert family
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == status, errors
        assert "Traceback" not in errors, errors
        _, alive = psutil.wait_procs(family, timeout=300)
    assert alive == []
    assert list(temporary.iterdir()) == []
    assert not out.exists()


@pytest.mark.servers
def test_serve_prints_settings_that_work_and_ends_with_ctrl_c(temporary: Path) -> None:
    with running(["serve", "--engines", "celery,temporal"], temporary) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        values = dict(re.fullmatch(r"export (\w+)=(.*)\n", line).groups() for line in lines)  # type: ignore[union-attr] # a line that does not match fails the test
        assert set(values) == {
            "DATABASE_URL", "ROLLS_DIR", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND",
            "TEMPORAL_ADDRESS",
        }  # fmt: skip
        asked = subprocess.run(
            [sys.executable, "-m", "shared", "stats"], cwd=ROOT, text=True, check=False,
            env=environment(temporary, **values), capture_output=True,
        )  # fmt: skip
        assert asked.returncode == 0, asked.stderr
        family = family_once(process, lambda: True)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=300)
        assert process.returncode == 0
        _, alive = psutil.wait_procs(family, timeout=300)
    assert alive == []
    assert list(temporary.iterdir()) == []


@pytest.mark.servers
@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--engines", "prefect"],
        ["timing", "--engines", "prefect", "--variants", "none", "--workloads", "noop:1"],
    ],
)
def test_a_server_that_does_not_come_up_is_told_with_its_log(
    temporary: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    ends = tmp_path_factory.mktemp("ends")
    (ends / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'offcanvas.servers.prefect_server' in sys.orig_argv:\n"
        "    sys.stderr.write('it ends at once\\n')\n"
        "    sys.stderr.flush()\n"
        "    os._exit(3)\n"
    )
    out = ["--out", str(tmp_path / "out")] if words[0] == "timing" else []
    done = subprocess.run(
        command(*words, *out), cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment(temporary, PYTHONPATH=str(ends)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("python -m comparisons: prefect ended with status 3")
    assert "it ends at once" in done.stderr
    assert list(temporary.iterdir()) == list(tmp_path.iterdir()) == []


DOWN = f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (["--variants", "chord"], {}, "--variants 'chord' is not known"),
        (["--engines", "dagster"], {}, "--engines 'dagster' is not known"),
        (["--workloads", "noop"], {}, "--workloads 'noop' is not known"),
        (["--repeat", "0"], {}, "--repeat 0"),
        (["--voters", "-1"], {}, "voters=-1"),
        (["--csv", "absent.csv"], {}, "--csv absent.csv: no such file"),
        (["--out", "Makefile"], {}, "--out Makefile: this is a file"),
        ([], {"TEMPORAL_ADDRESS": DOWN}, f"TEMPORAL_ADDRESS={DOWN} does not answer"),
        ([], {"CELERY_BROKER_URL": "redis://x"}, "CELERY_RESULT_BACKEND is not"),
        ([], {"DATABASE_URL": f"postgresql://{DOWN}/x"}, "cannot reach DATABASE_URL"),
        (["--out", "/proc/here"], {}, "--out /proc/here: cannot write in /proc"),
        (["--bogus"], {}, "No such option: --bogus"),
    ],
)
def test_misuse_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    variables: dict[str, str],
    said: str,
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = ["timing", *([] if "--out" in words else ["--out", str(out)]), *words]
    with pytest.raises(SystemExit) as caught:
        run(app, "python -m comparisons", given)
    shown = capsys.readouterr()
    assert (caught.value.code, shown.out) == (2, "")
    assert shown.err.startswith("python -m comparisons: ")
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bad_file_is_found_before_a_server_is_started(tmp_path: Path, temporary: Path) -> None:
    file = tmp_path / "voters.csv"
    file.write_text("voter_id,voter_name,center_id,center_name\nV1,,C1,School\n,,,\n")
    done = subprocess.run(
        command("timing", "--csv", str(file), "--out", str(tmp_path / "out")),
        cwd=ROOT, env=environment(temporary), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.count("\n") == 1
    assert "voters.csv, line 2: " in done.stderr
    assert "(and 1 further bad rows)" in done.stderr
    assert not (tmp_path / "out").exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("voter", "variables", "said"),
    [
        ("\u0939", {}, "no font has U+0939 DEVANAGARI LETTER HA for the name of voter V1"),
        ("\u200b", {}, "the name of voter V1 ('\\u200b') holds nothing that can be printed"),
        ("Ann", {"ROLL_FONTS": "/nowhere.ttf"}, "font /nowhere.ttf: No such file or directory"),
        ("Ann", {"ROLL_FONTS": "Makefile"}, "font Makefile: not a TrueType font"),
    ],
)
def test_what_cannot_be_printed_is_found_before_a_server_is_started(
    tmp_path: Path, temporary: Path, voter: str, variables: dict[str, str], said: str
) -> None:
    file = tmp_path / "voters.csv"
    file.write_text(f"voter_id,voter_name,center_id,center_name\nV1,{voter},C1,School\n")
    done = subprocess.run(
        command("timing", "--csv", str(file), "--out", str(tmp_path / "out")),
        cwd=ROOT, env=environment(temporary, **variables), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()
    assert list(temporary.iterdir()) == []


def test_versions_and_settings_are_shown(tmp_path: Path) -> None:
    shown = {
        word: subprocess.run(
            command(word), cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True,
            check=True,
        ).stdout
        for word in ("versions", "settings")
    }  # fmt: skip
    assert re.search(r"^prefect +3\.", shown["versions"], re.MULTILINE)
    assert "TEMPORAL_ADDRESS" in shown["settings"]
