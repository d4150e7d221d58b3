"""Our end of `comparisons.lab.caller`."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comparisons.lab.probes import Stopped
from comparisons.lab.profiles import Profile
from comparisons.stage import ROOT
from offcanvas.servers.base import leashed


class CallFailed(RuntimeError):  # noqa: N818 - reads as the fact it reports
    """The caller answered with an error, or did not answer."""


class Caller:
    """A process that starts runs; killed and started again at will."""

    def __init__(
        self, profile: Profile, environment: Mapping[str, str], log: Path, stop: threading.Event
    ) -> None:
        self.log = log
        self._stop = stop
        self._rest = b""
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                leashed(
                    [
                        sys.executable,
                        "-m",
                        "comparisons.lab.caller",
                        f"{profile.package}.client",
                        profile.states,
                    ]
                ),
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                bufsize=0,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def send(self, do: str, **given: Any) -> None:
        """Ask, without waiting for the answer; every `send` is followed by one `receive`.

        Raises:
            CallFailed: it is gone.
        """
        assert self._process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
        try:
            self._process.stdin.write(json.dumps({"do": do, **given}).encode() + b"\n")
        except OSError as error:
            raise CallFailed(f"the caller is gone: {error}") from None

    def receive(self, timeout: float) -> Any:
        """The answer.

        Raises:
            CallFailed: it is an error, or did not come in time.
        """
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - for mypy: it is a pipe
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() > deadline:
                    raise CallFailed(f"no answer within {timeout:g} s")
                if selector.select(0.25):
                    part = pipe.read(65_536)
                    if not part:
                        raise CallFailed("the caller ended")
                    self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise CallFailed(answer["error"])
        return answer["ok"]

    def ask(self, do: str, *, within: float = 60.0, **given: Any) -> Any:
        """Ask, and wait for the answer; raises CallFailed."""
        self.send(do, **given)
        return self.receive(within)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
