from celery import Celery, chain, chord, group

from shop import rows

app = Celery("shop", broker="redis://", backend="redis://")


@app.task
def generate_roll(run_id: str, station: str) -> int:
    rows.note("generate_roll", run_id, station)
    if run_id == "bad" and station == "south":
        raise ValueError("objection")
    return len(station)


@app.task
def sum_pages(pages: list[int], *, run_id: str) -> int:
    rows.note("sum_pages", pages, run_id)
    return sum(pages)


@app.task
def record_error(request, exc, traceback, run_id: str) -> None:
    rows.note("record_error", run_id, str(exc.__cause__ or exc))


def rolls(run_id: str):
    """One roll for each station, then the sum of their pages."""
    header = group(generate_roll.si(run_id, station) for station in rows.stations(run_id))
    return header | sum_pages.s(run_id=run_id).on_error(record_error.s(run_id))


@app.task(
    autoretry_for=(ConnectionError,),
    max_retries=3,
    retry_backoff=1,
    retry_jitter=False,
    time_limit=60,
)
def fetch(url: str) -> str:
    rows.note("fetch", url)
    if "flaky" in url and rows.times("fetch") < 3:
        raise ConnectionError("reset by peer")
    if "gone" in url:
        raise KeyError("404")
    return "3;4"


@app.task
def parse(text: str, sep: str = ",") -> list[int]:
    rows.note("parse", text, sep)
    return [int(part) for part in text.split(sep)]


@app.task(acks_late=True)
def store(numbers: list[int]) -> int:
    rows.note("store", numbers)
    return len(numbers)


@app.task
def alarm(request, exc, traceback) -> None:
    rows.note("alarm", type(exc).__name__, str(exc))


def import_feed(url: str):
    return chain(fetch.s(url), parse.s(sep=";").set(countdown=1), store.s()).on_error(alarm.s())


@app.task
def thumb(path: str, width: int) -> str:
    rows.note("thumb", path, width)
    return f"{path}@{width}"


@app.task
def exif(path: str) -> str:
    rows.note("exif", path)
    return f"{path}.exif"


@app.task
def gallery(parts: list[str]) -> str:
    rows.note("gallery", parts)
    return "+".join(parts)


@app.task
def load(path: str) -> str:
    rows.note("load", path)
    return path.lower()


def previews(path: str):
    sizes = group(thumb.s(width) for width in (128, 256))
    return chain(load.s(path), group(thumb.s(64), sizes, exif.s()), gallery.s())


@app.task(bind=True, max_retries=4)
def charge(self, order_id: int) -> int:
    try:
        rows.note("charge", order_id)
        if order_id == 2 and rows.times("busy") < 1:
            raise rows.Busy("gateway")
        return 100 * order_id
    except rows.Busy as busy:
        rows.note("busy", order_id)
        raise self.retry(exc=busy, countdown=1 * 2**self.request.retries)


@app.task
def ship(paid: int, carrier: str) -> str:
    rows.note("ship", paid, carrier)
    return f"{carrier}:{paid}"


@app.task
def wrap(label: str) -> str:
    rows.note("wrap", label)
    return f"gift({label})"


@app.task
def report(labels: list[str], day: str) -> str:
    rows.note("report", labels, day)
    return f"{day}: {', '.join(labels)}"


def nightly(day: str):
    """Charge and ship every open order; gifts are wrapped."""
    tasks = []
    for order in rows.open_orders(day):
        steps = [charge.si(order.id), ship.s(order.carrier)]
        if order.gift:
            steps.append(wrap.s())
        tasks.append(chain(*steps))
    return chord(tasks, report.s(day))


@app.task
def upsert(batch: list[str]) -> int:
    rows.note("upsert", batch)
    return len(batch)


@app.task(bind=True)
def refresh(self, names: list[str]) -> list[int]:
    batches = [names[start : start + 2] for start in range(0, len(names), 2)]
    rows.note("refresh", len(batches))
    raise self.replace(group(upsert.s(batch) for batch in batches))
