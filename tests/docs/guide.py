"""Guides as projects: their files, their commands, and what they print."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
#: A paragraph that begins with the name of a file, whose text is the next block.
_NAME = re.compile(r"^`([\w./-]+\.(?:py|toml))`", re.MULTILINE)


class Guide:
    """A page, and the project that it shows."""

    def __init__(self, name):
        self.text = (GUIDES / f"{name}.md").read_text(encoding="utf-8")
        self.blocks = _BLOCK.findall(self.text)
        self.commands = [
            line for kind, text in self.blocks if kind == "sh" for line in text.splitlines()
        ]

    def files(self):
        """What stands under a heading line like `` `shop/tasks.py`: ``, by name."""
        found = {}
        names = [(match.start(), match[1]) for match in _NAME.finditer(self.text)]
        for begin, name in names:
            block = _BLOCK.search(self.text, begin)
            assert block is not None, name
            found[name] = block[2]
        return found

    def write(self, folder, **changes):
        """The files in ``folder``; ``changes`` are texts to be replaced, by the text."""
        for name, text in self.files().items():
            path = folder / name
            for parent in reversed(path.relative_to(folder).parents[:-1]):
                (folder / parent).mkdir(exist_ok=True)
                (folder / parent / "__init__.py").touch()
            for old, new in changes.get("replace", {}).items():
                text = text.replace(old, new)  # noqa: PLW2901  # the same text, changed
            path.write_text(text, encoding="utf-8")


def environment(folder, **variables):
    """The environment of a person in ``folder``, with the project's programs on PATH."""
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "PYTHONWARNINGS": "ignore",
        "COLUMNS": "200",
        **variables,
    }


def shell(folder, line, env, *, check=True):
    """A line of the guide, run by a shell."""
    ran = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert not check or ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
    return ran


@contextmanager
def running(folder, line, env, says):
    """A line of the guide that goes on until it is stopped, once it has said ``says``."""
    process = subprocess.Popen(
        line.split(), cwd=folder, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for said in process.stdout:
            if says in said:
                break
        else:
            raise AssertionError(f"{line} has ended")
        yield process
        assert process.poll() is None, f"{line} has ended"
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
