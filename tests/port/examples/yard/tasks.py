from dataclasses import dataclass, field
from datetime import datetime

from celery import Celery, chain, chord, group

from yard import rows

app = Celery("yard")
app.conf.update(
    task_serializer="pickle",
    result_serializer="pickle",
    accept_content=["pickle", "json"],
)
task_serializer = "pickle"  # as a project's settings say it


@dataclass
class Crate:
    number: int
    since: datetime
    labels: set[str] = field(default_factory=set)


@app.task
def pack(number: int) -> Crate:
    rows.note("pack", number)
    return Crate(number, rows.moment(), {"new"})


@app.task
def weigh(crate: Crate, at: datetime) -> tuple[Crate, int]:
    rows.note("weigh", crate.number, crate.since, sorted(crate.labels), at)
    return crate, crate.number * 10


@app.task
def sign(weighed: tuple[Crate, int]) -> str:
    crate, weight = weighed
    rows.note("sign", crate.number, crate.since, weight)
    return f"{crate.number}:{weight}"


def shipment(number: int):
    """Objects on the way from step to step."""
    return chain(pack.s(number), weigh.s(rows.moment()), sign.s())


def shipments(numbers: list[int]):
    header = [chain(pack.s(number), weigh.s(rows.moment())) for number in numbers]
    return chord(header, tally.s())


@app.task
def tally(weighed: list[tuple[Crate, int]]) -> int:
    rows.note("tally", [(crate.number, weight) for crate, weight in weighed])
    return sum(weight for _, weight in weighed)


# -- attempts


@app.task(bind=True, autoretry_for=(KeyError,), max_retries=3, default_retry_delay=0)
def lift(self, kind: str) -> str:
    before = rows.note("lift", kind)
    if kind == "slow" and before < 2:
        try:
            raise rows.Slow("slow")
        except rows.Slow as error:
            raise self.retry(exc=error, countdown=0)
    if kind == "stuck":
        try:
            raise rows.Stuck("stuck")
        except rows.Stuck as error:
            rows.note("stuck", self.request.retries)
            raise self.retry(exc=error, countdown=0, max_retries=1)
    if kind == "slow elsewhere":
        raise rows.Slow("not asked for")
    if kind == "never" and not reachable(self, kind):
        return "nothing follows"
    if kind == "tired":
        try:
            raise self.retry(countdown=0, max_retries=2)
        except self.MaxRetriesExceededError:
            return "tired"
    return f"lifted {kind}"


@app.task(bind=True, autoretry_for=(KeyError,), max_retries=3, default_retry_delay=0)
def search(self, kind: str) -> str:
    rows.note("search", kind)
    if kind == "lost":
        raise KeyError("lost")
    try:
        raise rows.Slow(kind)
    except rows.Slow as error:
        if self.request.retries < 2:
            raise self.retry(exc=error, countdown=0)
    return kind


def reachable(task, kind: str) -> bool:
    """What a task hands its object on to."""
    if kind == "never":
        task.request.chain = None
        rows.note("unreachable", kind)
        return False
    return True


@app.task
def put_down(what: str) -> str:
    rows.note("put_down", what)
    return what


def move(kind: str):
    return chain(lift.s(kind), put_down.s())


def find(kind: str):
    return chain(search.s(kind), put_down.s())


# -- what a body sends


@app.task
def label(number: int, text: str = "plain") -> None:
    rows.note("label", number, text)


@app.task
def receive(number: int) -> int:
    rows.note("receive", number)
    label.delay(number)
    label.apply_async((number,), {"text": "second"})
    announce(number)
    return number


def announce(number: int) -> None:
    chain(lift.si(f"crate {number}"), put_down.s()).apply_async()


def intake(numbers: list[int]):
    return group(receive.s(number) for number in numbers)


# -- records in the place of signatures


@app.task(bind=True)
@rows.watched("restock")
def restock(self, kind: str):
    """Fill the shelves."""
    if not rows.is_open(kind):
        return None
    odd = [label.si(number, text="odd") for number in rows.crates(kind) if number % 2]
    filled = []
    seen = 0
    for number in rows.crates(kind):
        try:
            if number == 2:
                raise LookupError
            filled.append(receive_quietly.s(number))
            seen += 1
        except LookupError:
            rows.note("missing", number)
    rows.note("seen", seen)
    steps = []
    if filled:
        steps.append(chord(group(*filled), close.s(kind=kind)))
    if odd:
        steps.append(chord(group(*odd), close.si([], kind="odd")))
    if steps:
        return self.replace(chain(*steps))
    nothing(seen)
    return None


@app.task
@rows.watched("quietly")
def receive_quietly(number: int) -> int:
    rows.note("receive_quietly", number)
    return number


@app.task
def close(numbers: list[int], kind: str) -> int:
    rows.note("close", sorted(numbers), kind)
    return len(numbers)


@app.task
def nothing(seen: int) -> None:
    rows.note("nothing", seen)
