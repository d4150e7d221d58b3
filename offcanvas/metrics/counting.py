"""What a process counts of the tasks that it sees begin and end.

All of it is counted in the worker's main process, which also sees the ends of processes that were
killed. The processes of the tasks have nothing to do with it, so that prometheus_client's
multiprocess mode, with its files, is not needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from offcanvas.metrics import vocabulary as words
from offcanvas.metrics.vocabulary import PREFIX, Family


class Meter(Collector):
    """The metrics of one process, in a registry of its own or in one that is there.

    Methods may be called from any thread.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        if registry is None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
            GCCollector(registry=registry)
        self.registry = registry
        self._tasks = self._counter(words.TASKS)
        self._retries = self._counter(words.RETRIES)
        self._run = self._histogram(words.RUN_TIME)
        self._wait = self._histogram(words.WAIT_TIME)
        self._not_stored = self._counter(words.NOT_STORED)
        self._sent = self._counter(words.SENT)
        self._recovered = self._counter(words.RECOVERED)
        self._seen = self._gauge(words.SCHEDULE_SEEN)
        self._every = self._gauge(words.SCHEDULE_EVERY)
        self._limit = self._gauge(words.LIMIT)
        self._lock = threading.Lock()
        self._at_work: dict[str, dict[object, float]] = {}
        registry.register(self)

    def _counter(self, family: Family) -> Counter:
        name = f"{PREFIX}{family.name}"
        return Counter(name, family.says, family.labels, registry=self.registry)

    def _gauge(self, family: Family) -> Gauge:
        return Gauge(family.shown, family.says, family.labels, registry=self.registry)

    def _histogram(self, family: Family) -> Histogram:
        return Histogram(
            family.shown, family.says, family.labels, buckets=words.BUCKETS, registry=self.registry
        )

    def knows(self, engine: str, tasks: Iterable[str]) -> None:
        """Begin with zeros: what first appears as 1 has not risen, to Prometheus."""
        for task in tasks:
            self._retries.labels(engine, task)
            for state in words.STATES:
                self._tasks.labels(engine, task, state)
        self._not_stored.labels(engine)
        self._recovered.labels(engine)
        with self._lock:
            self._at_work.setdefault(engine, {})

    def begun(
        self, engine: str, task: str, waited: float | None = None, ago: float = 0.0
    ) -> Callable[..., None]:
        """A task begins, `waited` seconds after it was sent, or began `ago` seconds ago.

        Returns what is to be called once with the state in which it has ended, and with
        `again=True` if it will be tried again; with None for one that did not begin after all.
        """
        key, since = object(), time.monotonic() - ago
        with self._lock:
            self._at_work.setdefault(engine, {})[key] = since

        def ended(state: str | None, *, again: bool = False) -> None:
            with self._lock:
                if self._at_work[engine].pop(key, None) is None or state is None:
                    return
            if waited is not None:
                self._wait.labels(engine, task).observe(max(0.0, waited))
            self._run.labels(engine, task).observe(time.monotonic() - since)
            self.ended(engine, task, state, again=again)

        return ended

    def ended(self, engine: str, task: str, state: str, *, again: bool = False) -> None:
        """A task has ended, that may not even have begun."""
        self._tasks.labels(engine, task, state).inc()
        if again or state == words.RETRIED:
            self._retries.labels(engine, task).inc()

    def not_stored(self, engine: str) -> None:
        """A result could not be stored."""
        self._not_stored.labels(engine).inc()

    def sent(self, engine: str) -> None:
        """A canvas was sent."""
        self._sent.labels(engine).inc()

    def recovered(self, engine: str, count: int) -> None:
        """A sweep has started so many anew."""
        self._recovered.labels(engine).inc(count)

    def schedule(self, engine: str, name: str, every: float) -> None:
        """A schedule's work begins now, or the worker that does it."""
        self._every.labels(engine, name).set(every)
        self._seen.labels(engine, name).set_to_current_time()

    def limit(self, engine: str, of: str, seconds: float) -> None:
        """What an age is measured against."""
        self._limit.labels(engine, of).set(seconds)

    def collect(self) -> Iterator[Metric]:
        """What is at work, at the moment it is asked for."""
        running = _family(words.RUNNING)
        oldest = _family(words.RUNNING_OLDEST)
        now = time.monotonic()
        with self._lock:
            at_work = {engine: list(since.values()) for engine, since in self._at_work.items()}
        for engine, since in at_work.items():
            running.add_metric([engine], len(since))
            oldest.add_metric([engine], now - min(since, default=now))
        yield running
        yield oldest


def _family(family: Family) -> Any:
    return GaugeMetricFamily(family.shown, family.says, labels=family.labels)
