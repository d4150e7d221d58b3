"""Examples, drawn at random or given, on a real Celery worker and on the engines."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from offcanvas.servers import prefect
from tests.differential import running, specs
from tests.differential.observe import Together, on_celery, on_memory
from tests.differential.quirks import explained

#: Examples that are on an engine at a time.
SIDE_BY_SIDE = 20
ENGINES = ("memory", "temporal", "prefect")


@dataclass(frozen=True)
class Comparison:
    """One example on one engine. ``row`` of the support table explains the differences, if any."""

    engine: str
    example: specs.Example
    differences: list
    row: str | None = None

    @property
    def diverges(self):
        return bool(self.differences) and self.row is None

    def kind(self):
        """What a divergence looks like, without its values."""
        return (self.engine, *sorted({str(one).split("(")[0] for one in self.differences}))


def drawn(count, number=None):
    """So many random examples; the same each time for a number, or under a fixed profile."""
    examples = []
    quiet = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @quiet
    @given(specs.examples)
    def draw(example):
        examples.append(example)

    with warnings.catch_warnings():
        # A canvas of four levels is long when it is written out.
        warnings.filterwarnings("ignore", "Generating overly large repr")
        (draw if number is None else seed(number)(draw))()
    return examples


@contextmanager
def engines(names, batch=None):
    """Those of Temporal and Prefect that are named, each with a server and a worker of its own.

    ``batch`` is how many members of a group run together there.
    """
    with ExitStack() as stack:
        found = []
        if "temporal" in names:
            found.append(stack.enter_context(running.temporal_worker()))
        if "prefect" in names:
            address = stack.enter_context(prefect()).url
            found.append(stack.enter_context(running.prefect_worker(address)))
        for one in found:
            one.batch = batch
        yield found


def compared(examples, worker, elsewhere, *, memory=True) -> Iterator[Comparison]:
    """A comparison for each example and each engine.

    Celery has one example at a time, and the oracle; the others several, while Celery works.
    """
    with ThreadPoolExecutor(max(1, len(elsewhere))) as threads:
        for first in range(0, len(examples), SIDE_BY_SIDE):
            batch = examples[first : first + SIDE_BY_SIDE]
            together = [Together(batch, engine) for engine in elsewhere]
            walks = [threads.submit(one.walk) for one in together]
            reals = [on_celery(example, worker) for example in batch]
            for walk in walks:
                walk.result()
            for engine, one in zip(elsewhere, together, strict=True):
                yield from map(_held_against, [engine.name] * len(batch), batch, one.seen(), reals)
            if memory:
                mine = [on_memory(example, worker) for example in batch]
                yield from map(_held_against, ["memory"] * len(batch), batch, mine, reals)


def _held_against(engine, example, mine, real):
    differences = mine.differences(real)
    row = explained(example, real, mine) if differences else None
    return Comparison(engine, example, differences, row)
