"""A small app whose canvases the tests of offcanvas.canvas lift and draw."""

from celery import Celery, chain, chord, group

app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task(name="orders.load")
def load(day):
    return [day]


@app.task(name="orders.price")
def price(order, currency="EUR"):
    return order, currency


@app.task(name="orders.total")
def total(prices):
    return len(prices)


@app.task(name="ops.alarm")
def alarm(task_id):
    return task_id


def flow(width=3):
    prices = [chain(price.s(number, currency="EUR"), price.s()) for number in range(int(width))]
    return chain(
        load.s("2026-11-22").set(queue="slow"),
        chord(prices, total.s().on_error(alarm.s())),
        total.si([]).set(link=[alarm.s()], countdown=5),
        group(price.s(), price.map([1, 2]), group(price.s(), chord([load.s()], total.s()))),
    )


lone = price.s("an order")
not_a_canvas = {"task": "no signature"}


def broken():
    raise ValueError("no orders\ntoday")


def no_canvas():
    return 5


def sends():
    (load.s(1) | total.s()).delay().get()


def sends_two():
    load.delay(1)
    alarm.delay(2)


def leaves():
    raise SystemExit(5)


async def later():
    return lone
