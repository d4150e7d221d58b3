"""Commands of the kit that start nothing, each in a process that has imported the kit already.

Most of what a short command costs is to import Celery, LibCST and the kit: 0.8 of 1.0 seconds.
Here each is forked from a process that has done nothing but import them. What is registered with
`atexit` is not done in such a process: commands that start servers or workers are for a shell.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "celery",
        "offcanvas.celery_app.caught",
        "offcanvas.cli",
        "offcanvas.port.api",
        "offcanvas.port.keep",
        "offcanvas.port.emit.prefect.project",
        "offcanvas.port.emit.temporal.project",
    ]
)


def command(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> CompletedProcess[str]:
    """Run `offcanvas` with these words in a folder, as from a shell."""
    with tempfile.TemporaryDirectory() as name:
        streams = Path(name, "out"), Path(name, "err")
        given = (list(words), str(cwd), dict(environment), *map(str, streams))
        process = _FORKS.Process(target=_command, args=given)
        process.start()
        process.join()
        assert process.exitcode is not None
        out, err = (stream.read_text() for stream in streams)
    return CompletedProcess(["offcanvas", *words], process.exitcode, out, err)


def _command(words: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    for number, stream in ((1, out), (2, err)):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, "")
    sys.argv = ["-c", *words]
    from offcanvas.cli import main

    main()
