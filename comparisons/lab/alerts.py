"""Whether somebody would have been told: a private Prometheus that scrapes the lane.

The rules are those of `deploy/alerts.yml`, with every duration in them shortened, and scrapes a
second apart, as all of the lab's intervals are shorter than in production.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from comparisons.stage import ROOT
from offcanvas.servers import Server, ServerError
from offcanvas.servers.base import free_port, private_folder

RULES = ROOT / "deploy" / "alerts.yml"
# Every duration in the rules is divided by this; a `for` of a minute is three seconds.
SHORTER = 20
SCRAPED_EVERY = 1  # seconds
# Where work was lost, so long is waited for an alert before it counts as told by none.
WITHIN = 45.0
# So long is waited before a fault until no alert of the one before is left.
QUIET_WITHIN = 60.0

# Prometheus is asked, and answers, in milliseconds.
_ROUNDED = 0.001

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\bfor: |\[)(\d+)(ms|s|m|h)\b")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that began to fire, so many seconds after the fault."""

    name: str
    after: float


def shortened(rules: str) -> str:
    """The rules with their durations divided by `SHORTER`."""

    def divided(match: re.Match[str]) -> str:
        before, number, unit = match.groups()
        milliseconds = round(int(number) * _UNITS[unit] * 1000 / SHORTER)
        return f"{before}{milliseconds}ms"

    return _DURATION.sub(divided, rules)


def available(package: str) -> bool:
    """Whether Prometheus is installed, and the package has a watch."""
    has_watch = importlib.util.find_spec(f"{package}.watch") is not None
    return has_watch and shutil.which("prometheus") is not None


def begins(moments: Iterable[float], fault_at: float) -> float | None:
    """When an alert begins to fire after the fault, by the moments at which it fires."""
    before = None
    for moment in moments:
        goes_on = before is not None and moment - before < 1.5 * SCRAPED_EVERY
        if moment > fault_at + _ROUNDED and not goes_on:
            return moment
        before = moment
    return None


class Alerts:
    """A private Prometheus; stopped with `stop`."""

    def __init__(self) -> None:
        folder = private_folder("prometheus")
        self._targets = folder / "targets.json"
        self.watch_port = free_port()
        self._write([])
        (folder / "rules.yml").write_text(shortened(RULES.read_text(encoding="utf-8")))
        (folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {
                        "scrape_interval": f"{SCRAPED_EVERY}s",
                        "scrape_timeout": f"{SCRAPED_EVERY}s",
                        "evaluation_interval": f"{SCRAPED_EVERY}s",
                    },
                    "rule_files": [str(folder / "rules.yml")],
                    "scrape_configs": [
                        {
                            "job_name": "lane",
                            "file_sd_configs": [
                                {"files": [str(self._targets)], "refresh_interval": "1s"}
                            ],
                        }
                    ],
                }
            )  # JSON is YAML
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._server = Server(
            name="prometheus",
            url=self.url,
            command=[
                "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn",
                f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=6h",
            ],
            folder=folder,
            answers=self._ready,
            ports=[port],
        )  # fmt: skip

    def wait(self) -> None:
        """Return once it answers.

        Raises:
            ServerError: it does not.
        """
        self._server.wait()

    def stop(self) -> None:
        """End it, and remove what it has stored."""
        self._server.stop()

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/-/ready", timeout=2) as answer:  # noqa: S310 - http, above
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def scrape(self, workers: Iterable[int], watches: Iterable[int] = ()) -> None:
        """From now on these ports of workers and watches; of the lane's watch unless others."""
        self._write(
            [
                *(("watch", port) for port in watches or (self.watch_port,)),
                *(("worker", port) for port in workers),
            ]
        )

    def _write(self, ports: Iterable[tuple[str, int]]) -> None:
        told = [{"targets": [f"127.0.0.1:{port}"], "labels": {"job": kind}} for kind, port in ports]
        # Whole or not at all: Prometheus reads it when it changes.
        new = self._targets.with_suffix(".new")
        new.write_text(json.dumps(told))
        new.replace(self._targets)

    def firing(self) -> list[str]:
        """The names of the alerts that fire now."""
        found = self._ask("query", query='ALERTS{alertstate="firing"}')
        return sorted({str(one["metric"]["alertname"]) for one in found})

    def settle(self, pause: Callable[[float], None]) -> None:
        """Wait until no alert is left from before, or for so long that those that are stay."""
        deadline = time.monotonic() + QUIET_WITHIN
        while self.firing() and time.monotonic() < deadline:
            pause(1.0)

    def since(self, fault_at: float) -> tuple[Alert, ...]:
        """The alerts that have begun to fire since the fault, the first one first.

        One that fired already says nothing until it has stopped, and begins anew.
        """
        found = self._ask(
            "query_range", query='ALERTS{alertstate="firing"}',
            start=f"{fault_at - 1:.3f}", end=f"{time.time():.3f}", step=str(SCRAPED_EVERY),
        )  # fmt: skip
        first: dict[str, float] = {}
        for one in found:
            name = str(one["metric"]["alertname"])
            began = begins([float(moment) for moment, _ in one["values"]], fault_at)
            if began is not None:
                first[name] = min(began, first.get(name, began))
        alerts = [Alert(name, moment - fault_at) for name, moment in first.items()]
        return tuple(sorted(alerts, key=lambda alert: (alert.after, alert.name)))

    def _ask(self, what: str, **given: str) -> list[Mapping[str, Any]]:
        url = f"{self.url}/api/v1/{what}?{urlencode(given)}"
        try:
            with urlopen(url, timeout=30) as answer:  # noqa: S310 - http, above
                data: dict[str, Any] = json.loads(answer.read())
        except OSError as error:
            raise ServerError(f"the private Prometheus does not answer: {error}") from error
        result: list[Mapping[str, Any]] = data["data"]["result"]
        return result
