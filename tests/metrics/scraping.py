"""What a port tells, as Prometheus reads it."""

import contextlib
import socket
import time
from collections.abc import Callable
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def scrape(port: int) -> Samples:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


def eventually(port: int, holds: Callable[[Samples], bool]) -> Samples:
    """Scrape until it holds."""
    deadline = time.monotonic() + 60
    while True:
        samples: Samples = {}
        with contextlib.suppress(OSError):
            samples = scrape(port)
        if samples and holds(samples):
            return samples
        if time.monotonic() > deadline:
            raise AssertionError(
                sorted(one for one in samples.items() if "bucket" not in one[0][0] and one[1])
            )
        time.sleep(0.2)


def counts(samples: Samples, engine: str) -> dict[tuple[str, ...], float]:
    """How many attempts of which task ended how, and were tried again, where there were any."""
    found = {}
    for (name, pairs), count in samples.items():
        labels = dict(pairs)
        if labels.get("engine") != engine or not count:
            continue
        if name == "offcanvas_tasks_total":
            found[labels["task"], labels["state"]] = count
        if name == "offcanvas_task_retries_total":
            found[labels["task"], "tried again"] = count
    return found
