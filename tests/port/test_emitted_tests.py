"""The tests that are emitted: what they let through, and what they do not."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from offcanvas.servers import prefect, redis, start_together
from tests.port.project import Ended, Folder

LONG = (pytest.mark.servers, pytest.mark.long)
STUBS = {
    "temporal": "shop_temporal/tests/test_workflows.py",
    "prefect": "shop_prefect/tests/test_flows.py",
}
#: By engine: in which file, the canvas that each fault is in, and what stands there.
FAULTS = {
    "temporal": (
        "shop_temporal/workflows.py",
        {
            # an error callback that is gone
            "import_feed": ("AlarmInput(error_kind, error_text)", "AlarmInput('', '')"),
            # a member that is missing
            "previews": ("for width in (128, 256)", "for width in (128,)"),
            # arguments that are swapped
            "nightly": ("ReportInput(labels, given.day)", "ReportInput(given.day, labels)"),
            # results in another order
            "refresh": ("for batch in given.batches", "for batch in reversed(given.batches)"),
        },
    ),
    "prefect": (
        "shop_prefect/flows.py",
        {
            "import_feed": ("logged(do.alarm, type(error).__name__, str(error))", "pass"),
            "previews": ("for width in (128, 256)", "for width in (128,)"),
            "nightly": ("do.report(labels, day)", "do.report(day, labels)"),
            "refresh": ("for batch in batches", "for batch in reversed(batches)"),
        },
    ),
}


def _ported(path: Path, engine: str) -> Folder:
    folder = Folder.of_example("shop", path)
    ended = folder.port(".", "--to", engine, *folder.all_samples())
    assert (ended.code, ended.err) == (1, "")
    return folder


def _tested(folder: Folder, engine: str) -> Ended:
    home = str(folder.path / "home")
    return folder.run(
        *("-m", "pytest", "-q", "-rf", "-p", "no:offcanvas", STUBS[engine]), PREFECT_HOME=home
    )


@pytest.mark.parametrize("engine", ["temporal", pytest.param("prefect", marks=LONG)])
def test_a_fault_fails_the_case_of_its_canvas(tmp_path: Path, engine: str) -> None:
    folder = _ported(tmp_path, engine)
    whole = _tested(folder, engine)
    assert whole.code == 0, whole.out
    assert "10 passed" in whole.out
    name, faults = FAULTS[engine]
    text = (folder.path / name).read_text()
    for before, after in faults.values():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    folder.write(name, text)
    broken = _tested(folder, engine)
    assert broken.code == 1
    failed = set(re.findall(r"^FAILED .*?\[(\w+)", broken.out, re.MULTILINE))
    assert failed == set(faults)


def test_without_a_sample_there_is_nothing_to_expect(tmp_path: Path) -> None:
    folder = Folder.of_example("shop", tmp_path)
    assert folder.port(".", "--to", "temporal").code == 1
    assert not (folder.path / STUBS["temporal"]).exists()


@pytest.mark.servers
@pytest.mark.long
def test_flows_are_deployed_and_do_what_celery_does(tmp_path: Path) -> None:
    """With the commands that prefect.yaml names; the emitted test then asks both sides."""
    folder = _ported(tmp_path, "prefect")
    yaml = (folder.path / "shop_prefect/prefect.yaml").read_text()
    create, deploy, start = re.findall(r"^#   (prefect .*)$", yaml, re.MULTILINE)
    with ExitStack() as stack:
        environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "home")}
        environment["PWD"] = str(folder.path)  # as a shell says it
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        for server in stack.enter_context(start_together(redis, prefect)):
            environment |= server.environment
        for command in (create, deploy):
            ended = subprocess.run(
                shlex.split(command), cwd=folder.path, env=environment, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            assert ended.returncode == 0, ended.stderr
        celery = f"{sys.executable} -m celery -A shop.tasks worker -c 2"
        for number, command in enumerate((start, celery)):
            log = stack.enter_context((tmp_path / f"worker-{number}.log").open("w"))
            worker = subprocess.Popen(
                shlex.split(command),
                cwd=folder.path,
                env={**environment, "SHOP_LEDGER": str(tmp_path / f"{number}.jsonl")},
                stdout=log,
                stderr=log,
            )
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        tests = "shop_prefect/tests/test_equivalence.py"
        same = folder.run("-m", "pytest", "-q", "-p", "no:offcanvas", tests, **environment)
    assert same.code == 0, same.out
    assert "4 passed, 1 xfailed" in same.out  # previews: PORT145
