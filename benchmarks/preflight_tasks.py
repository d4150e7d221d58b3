"""Tasks whose values are as large as they are told, for `benchmarks.preflight`."""

from celery import Celery

app = Celery("measured", broker="memory://", backend="cache+memory://")


@app.task
def nothing(*_args: object) -> None:
    """The cheapest task that there is."""


@app.task
def text(*args: object, size: int = 100, seed: int = 0) -> str:
    """A text of so many characters that does not compress away."""
    digits = f"{seed:x}"
    while len(digits) < size:
        digits += f"{hash((digits, len(digits))) & 0xFFFFFFFFFFFF:x}"
    return digits[:size]
