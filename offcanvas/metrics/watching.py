"""What is to be seen of an engine as a whole: asked for every so often, told when Prometheus asks.

A thread asks, so that a server that does not answer keeps nobody waiting who asks for metrics.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from offcanvas.metrics import vocabulary as words
from offcanvas.metrics.sight import Sight, Waiting
from offcanvas.metrics.vocabulary import Family

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds


class Watch(Collector):
    """Looks every `every` seconds, from `start` until `stop`."""

    def __init__(
        self,
        engine: str,
        look: Callable[[], Sight],
        every: float = EVERY,
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine = engine
        self._look = look
        self._every = every
        self._stopped = stopped
        self._seen: Sight | None = None
        self._looked_at = 0.0
        self._well = False
        self._told = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{engine}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that hangs is left behind."""
        if not self._stop.is_set():
            self._stop.set()
            self._stopped()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._look_once()
            self._stop.wait(self._every)

    def _look_once(self) -> None:
        try:
            seen = self._look()
        except Exception as error:  # whatever the engine's client raises: the next look may see
            if self._stop.is_set():
                return
            self._well = False
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            if said != self._told:
                log.warning("metrics: %s could not be looked at: %s", self.engine, said)
            self._told = said
            return
        self._seen, self._looked_at, self._well, self._told = seen, time.monotonic(), True, ""

    @property
    def up(self) -> bool:
        """Whether the last look was good, and is not too long ago."""
        return self._well and time.monotonic() - self._looked_at < 3 * self._every + 5.0

    def collect(self) -> Iterator[Metric]:
        """The last sight; ages go on growing while nobody answers."""
        yield _gauge(words.UP, [((self.engine,), 1.0 if self.up else 0.0)])
        seen = self._seen
        if seen is None:
            return
        queues = sorted(seen.queues.items())
        yield _gauge(words.QUEUE_DEPTH, [((self.engine, name), one.count) for name, one in queues])
        yield _gauge(
            words.QUEUE_OLDEST,
            [
                ((self.engine, name), _age(one))
                for name, one in queues
                if one.since is not None or not one.count
            ],
        )
        if seen.workers is not None:
            yield _gauge(words.WORKERS, [((self.engine,), seen.workers)])
        yield from self._pair(words.CANVASES_OPEN, words.CANVAS_OLDEST, seen.canvases)
        yield from self._pair(words.UNFINISHED, words.UNFINISHED_OLDEST, seen.runs)
        if seen.unsent is not None:
            yield _gauge(words.UNSENT, [((self.engine,), seen.unsent)])

    def _pair(self, count: Family, oldest: Family, seen: Waiting | None) -> Iterator[Metric]:
        if seen is None:
            return
        yield _gauge(count, [((self.engine,), seen.count)])
        if seen.since is not None or not seen.count:
            yield _gauge(oldest, [((self.engine,), _age(seen))])


def _age(one: Waiting) -> float:
    return 0.0 if one.since is None or not one.count else max(0.0, time.time() - one.since)


def _gauge(family: Family, samples: list[tuple[tuple[str, ...], float]]) -> Metric:
    metric = GaugeMetricFamily(family.shown, family.says, labels=family.labels)
    for labels, value in samples:
        metric.add_metric(labels, value)
    return metric
