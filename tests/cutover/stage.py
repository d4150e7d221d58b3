"""Servers and workers for tests of the cut-over, each started when it is asked for."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from offcanvas.cutover.rules import parse
from offcanvas.cutover.stores import open_claims

TEMPORAL = (sys.executable, "-W", "ignore", "-m", "offcanvas.engines.temporal")
PREFECT = (sys.executable, "-W", "ignore", "-m", "offcanvas.engines.prefect")
CELERY = (sys.executable, "-W", "ignore", "-m", "celery")
APP = "tests.cutover.shop"


@dataclass(frozen=True)
class Stage:
    """A folder with rules and a ledger, and the environment of every process."""

    folder: Path
    environment: dict[str, str]

    @property
    def rules(self) -> Path:
        return self.folder / "cutover.toml"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def lines(self) -> list[list[str]]:
        if not self.ledger.exists():
            return []
        return [line.split() for line in self.ledger.read_text().splitlines()]

    def ran(self, order: str) -> list[list[str]]:
        """What the ledger has of one order."""
        return [line for line in self.lines() if line[2] == order]

    def counted(self) -> Counter:
        return Counter(tuple(line) for line in self.lines())

    def env(self, **more: str) -> dict[str, str]:
        return {**os.environ, **self.environment, **more}

    def run(self, code: str, check: bool = True) -> str:
        """A producer: a process that sends."""
        words = [sys.executable, "-W", "ignore", "-c", f"from {APP} import *\n{code}"]
        ran = subprocess.run(
            words, env=self.env(), capture_output=True, text=True, check=False, timeout=300
        )
        assert not check or ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout if check else ran.stdout + ran.stderr

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        main = "from offcanvas.cli import main; main()"
        command = [sys.executable, "-W", "ignore", "-c", main, "cutover", *words]
        if "-A" not in words:
            command += ["-A", APP]
        if "--rules" not in words:
            command += ["--rules", str(self.rules)]
        return subprocess.run(
            command, env=self.env(), capture_output=True, text=True, check=False, timeout=300
        )

    def claims(self) -> list:
        """All claims that the rules' store has."""
        rules = parse(self.rules.read_text(), str(self.rules))
        found = open_claims(rules.claims)
        try:
            return list(found.since(1e9))
        finally:
            found.close()

    def until(self, true, seconds: float = 180.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"still waiting; {self.lines()[-20:]}"
            time.sleep(0.1)

    @contextmanager
    def worker(self, kind: str, *words: str):
        command = {
            "celery": [*CELERY, "-A", APP, "worker", "-c", "2", "-l", "ERROR", "--without-gossip",
                       "--without-mingle"],
            "temporal": [*TEMPORAL, f"{APP}:app"],
            "prefect": [*PREFECT, f"{APP}:app"],
        }[kind]  # fmt: skip
        with self._beside(kind, [*command, *words], CUTOVER_WORKER=kind) as process:
            yield process

    @contextmanager
    def sweeping(self, *words: str):
        """The sweep of the cut-over, as long as this lasts."""
        main = "from offcanvas.cli import main; main()"
        command = [sys.executable, "-W", "ignore", "-c", main, "cutover", "sweep", "-A", APP]
        with self._beside("sweep", [*command, "--rules", str(self.rules), *words]) as process:
            yield process

    @contextmanager
    def _beside(self, name: str, command: list[str], **more: str):
        log = (self.folder / f"{name}.log").open("a")
        process = subprocess.Popen(
            command,
            env=self.env(**more),
            start_new_session=True,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            with log:
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait(20)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
