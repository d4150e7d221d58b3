"""The ten variants: one name on every engine, and what each must answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from shared.errors import UsageError


class Answer(Enum):
    """What the caller of a variant gets."""

    TOTAL = "the sum of the pages"
    STATIONS = "nothing: the stations are in the database"
    ROLLS = "nothing: the rolls appear"
    ERROR = "the error of one member"


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant and its lesson.

    `celery_error` is the text that Celery's caller must get where Celery forbids what the other
    engines do; the work is done all the same.
    """

    name: str
    teaches: str
    answer: Answer = Answer.TOTAL
    celery_error: str | None = None


JOIN_FORBIDDEN = "Never call result.get() within a task!"

# The station whose roll `error_in_header` forbids is the first; the reason is part of the error.
OBJECTION = "roll under objection"

VARIANTS: tuple[Variant, ...] = (
    Variant("all_in_one", "one task loops over everything: shortest, brittle, not parallel"),
    Variant(
        "parallel_with_join",
        "a task that waits for its group: forbidden in Celery, right in a flow or a workflow",
        celery_error=JOIN_FORBIDDEN,
    ),
    Variant("chord_by_center", "fan-out and fan-in with uneven grains"),
    Variant(
        "assign_stations_in_parallel",
        "database work is better optimised in the query than spread over tasks",
        answer=Answer.STATIONS,
    ),
    Variant("starmap", "one message, one sequential loop: not parallel in Celery"),
    Variant("chord_by_station", "the recommended shape: database work once, even grains"),
    Variant("chunks", "the middle way between starmap and one task per station"),
    Variant("chain", "sequential dependency, immutable signatures"),
    Variant("group", "fire and forget: nobody collects the results", answer=Answer.ROLLS),
    Variant(
        "error_in_header",
        "one failing member: siblings run, the body does not, the error callback is called once",
        answer=Answer.ERROR,
    ),
)

BY_NAME: dict[str, Variant] = {variant.name: variant for variant in VARIANTS}


def named(name: str) -> Variant:
    """The variant of that name.

    Raises:
        UsageError: there is none; the message lists them.
    """
    if name not in BY_NAME:
        raise UsageError(f"no variant {name!r}: choose one of {', '.join(BY_NAME)}")
    return BY_NAME[name]
