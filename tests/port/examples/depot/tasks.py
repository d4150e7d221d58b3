"""What the first example leaves out: options of every kind, links, chunks, nested chords."""

from datetime import datetime

from celery import Celery, chain, chord, group

from depot import rows

app = Celery("depot", broker="redis://", backend="redis://")

WIDTH = 2


@app.task(
    autoretry_for=(ConnectionError,),
    dont_autoretry_for=(rows.Gone,),
    max_retries=2,
    retry_backoff=True,
    retry_jitter=True,
)
def weigh(parcel: int) -> int:
    """Ask the scales."""
    rows.note("weigh", parcel)
    if parcel == 7 and rows.times("weigh", parcel) < 2:
        raise ConnectionError("no answer")
    if parcel == 8:
        raise rows.Gone("scales removed")
    return parcel * 10


@app.task(bind=True, max_retries=3, default_retry_delay=1)
def collect(self, depot: str, *extras: str, **labels: int) -> list[int]:
    rows.note("collect", depot, list(extras), labels, self.request.retries)
    if self.request.retries < 1:
        raise self.retry()
    return [1, 2, 3, 4, 5]


@app.task(autoretry_for=(Exception,), max_retries=None, default_retry_delay=1, time_limit=30)
def label(parcel: int, prefix: str = "P") -> str:
    rows.note("label", parcel, prefix)
    if prefix == "B" and rows.times("label") < 3:
        raise ValueError("printer")
    return f"{prefix}{parcel}"


@app.task(queue="heavy", priority=3, expires=300, soft_time_limit=20)
def press(labels: list[str]) -> str:
    rows.note("press", labels)
    return ",".join(labels)


@app.task(rate_limit="600/m")
def archive(text: str) -> None:
    rows.note("archive", text)


@app.task
def add(a: int, b: int) -> int:
    rows.note("add", a, b)
    return a + b


@app.task
def total(numbers: list[int]) -> int:
    rows.note("total", numbers)
    return sum(numbers)


@app.task(ignore_result=True)
def lost(failed_id: str) -> None:
    rows.note("lost", bool(failed_id))


@app.task
def tell(text: str) -> None:
    rows.note("tell", text)
    if text == "fail":
        raise ValueError("nobody listens")


@app.task(base=app.Task, bind=True)
def measure(self, parcel: int) -> int:
    return parcel + len(self.request.hostname or "")


def weights(parcels: list[int]):
    """Weigh side by side, then the sum; whoever fails is told by id."""
    return chord((weigh.s(parcel) for parcel in parcels), total.s()).on_error(lost.s())


def labels(depot: str, prefix: str = "P"):
    """Retries that the body asks for, then labels, then the press with what it waits for."""
    return chain(
        collect.s(depot, "a", "b", left=1),
        total.s(),
        label.s(prefix=prefix).set(time_limit=5),
        archive.s(),
    )


def linked(parcel: int):
    """A link that succeeds, one that fails, and an error callback without arguments."""
    first = weigh.s(parcel)
    first.link(tell.si("done"))
    first.link(tell.si("fail"))
    return first.on_error(tell.si("error"))


def sums(pairs: list[list[int]]):
    """starmap, map and chunks."""
    return group(add.starmap(pairs), weigh.map([1, 2]), add.chunks(pairs, WIDTH).group())


def nested(depot: str):
    """Chords in a group, their members under conditions, before a group as the body."""
    members = []
    for parcel in rows.parcels(depot):
        if parcel["weight"] > 5:
            header = group([add.s(parcel["id"], n) for n in range(2)])
            members.append(header | total.s())
        else:
            members.append(add.s(parcel["id"], 0))
    return group(members) | group(total.s(), tell.si("beside"))


def choice(parcel: int, heavy: bool):
    if heavy:
        return chain(weigh.s(parcel), press_one.s())
    return add.s(parcel, 1)


@app.task
def press_one(weight: int) -> str:
    rows.note("press_one", weight)
    return f"pressed {weight}"


def later(text: str, at: datetime):
    """A wait that is too long for a flow, and a moment."""
    return chain(tell.si(text).set(countdown=3600), tell.si(text).set(eta=at))


def pressed(parcels: list[int]):
    return chord([label.s(parcel) for parcel in parcels], press.s().set(expires=10))


def counted(parcels: list[int]):
    return group(measure.s(parcel) for parcel in parcels)
