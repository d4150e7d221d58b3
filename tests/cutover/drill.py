"""Producers that are killed at each point between claim, send and acknowledgement.

For each engine and each kind of claims, a producer is killed at one of six points. Every other one
repeats its call afterwards, under another percentage; the sweep does the rest. In the end the
ledger has to show each order of work on one engine only, each step of it once, and none missing
that was claimed.
"""

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from offcanvas.servers import prefect, redis, temporal
from tests.cutover.stage import Stage
from tests.services import private_postgres

POINTS = {
    1: "before the claim",
    2: "claim written, not committed or not answered",
    3: "claimed, before the send",
    4: "somewhere in the send",
    5: "sent and acknowledged, not noted",
    6: "noted, before the call returns",
}
ROOT = "tests.cutover.shop.charge"
BOOK = "tests.cutover.shop:book"
PAGES = 3
_EVERY_CHILD = ("kombu.transport.redis", "celery.backends.redis", "offcanvas.cutover.ways.kit")
_ENGINES = {
    "temporal": ("offcanvas.engines.temporal.target", "offcanvas.engines.temporal.engine",
                 "offcanvas.cutover.ways.temporal"),
    "prefect": ("offcanvas.engines.prefect.target", "offcanvas.engines.prefect.engine",
                "offcanvas.cutover.ways.prefect"),
}  # fmt: skip
_ANY = random.Random(7)  # noqa: S311  # when somebody is killed is not a secret


@dataclass(frozen=True)
class Row:
    """What came of one point."""

    engine: str
    claims: str
    point: int
    killed: int
    repeated: int
    on_celery: int
    on_engine: int
    never_ordered: int
    lost: int
    twice: int
    on_both: int


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(router, point, claims):
    """See to it that this process dies there."""
    from offcanvas.cutover.router import CutOver

    if point == 1:
        router.claims.claim = lambda *_: _die()
    elif point == 2 and claims == "redis":
        from redis.connection import Connection

        sent = Connection.send_packed_command

        def asked(self, *given, **more):
            answer = sent(self, *given, **more)
            if any(b"EVALSHA" in bytes(part) for part in given[0]):
                time.sleep(0.02)
                _die()
            return answer

        router.claims.create()  # the connection is there, and the scripts are known
        for script in router.claims._scripts.values():
            router.claims._client.script_load(script.script)
        Connection.send_packed_command = asked
    elif point == 2:
        from sqlalchemy.engine import Connection

        execute = Connection.execute

        def executed(self, statement, *given, **more):
            answer = execute(self, statement, *given, **more)
            if getattr(statement, "is_insert", False):
                _die()
            return answer

        Connection.execute = executed
    elif point == 3:
        CutOver.send = lambda *_: _die()
    elif point == 4:
        send = CutOver.send

        def in_the_middle(self, claim, ready):
            threading.Timer(_ANY.uniform(0, 0.04), _die).start()
            send(self, claim, ready)
            time.sleep(1)  # the timer is on its way

        CutOver.send = in_the_middle
    elif point == 5:
        router.notes.add = lambda _id: _die()
    else:
        add = router.notes.add

        def noted(claim_id):
            add(claim_id)
            router.notes.flush()
            _die()

        router.notes.add = noted


def _begin(order, point, claims, is_book):
    """A producer, in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    try:
        from tests.cutover import shop

        if point:
            _arm(shop.router, point, claims)
        if is_book:
            shop.book(order, PAGES).apply_async(task_id=order)
        else:
            shop.charge.apply_async((order,), task_id=order)
        shop.router.notes.flush()
    except BaseException as error:
        sys.stderr.write(f"{order}: {error!r}\n")
        os._exit(1)
    os._exit(0)


def _side_by_side(producers):
    """How each of them has ended, once all have."""
    started = [_begin(*each) for each in producers]
    return [os.waitpid(pid, 0)[1] for pid in started]


def _rules(stage, claims, engine, percent):
    text = f'[cutover]\nclaims = "{claims}"\n'
    for root, key in ((ROOT, "order"), (BOOK, "order")):
        text += f'[root."{root}"]\nto = "{engine}"\npercent = {percent}\nkey = "{key}"\n'
        text += "claims = true\n"
    new = stage.folder / "new.toml"
    new.write_text(text)
    new.replace(stage.rules)


@contextmanager
def staged(engine):
    """Servers and workers for one engine, and for Celery."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis(tcp=True))
        environment = {
            "CUTOVER_BROKER": f"{server.url}/0",
            "CUTOVER_RESULTS": f"{server.url}/1",
            "CUTOVER_LEDGER": str(folder / "ledger"),
            "CUTOVER_RULES": str(folder / "cutover.toml"),
        }
        if engine == "temporal":
            environment["TEMPORAL_ADDRESS"] = stack.enter_context(temporal()).url
        else:
            environment["PREFECT_API_URL"] = stack.enter_context(prefect()).url
        yield Stage(folder, environment), f"{server.url}/2"


def drill(engine, claims_kind, times, tell=lambda line: sys.stderr.write(f"{line}\n")):
    """Rows for one engine and one kind of claims."""
    with ExitStack() as stack:
        stage, in_redis = stack.enter_context(staged(engine))
        claims = in_redis
        if claims_kind == "postgresql":
            claims = stack.enter_context(private_postgres())
        _rules(stage, claims, engine, 50)
        os.environ.update(stage.environment)
        from tests.cutover import shop

        for module in (*_EVERY_CHILD, *_ENGINES[engine]):
            import_module(module)  # before the forks, not in each of them
        shop.router.claims.create()
        shop.router.claims.close()
        shop.router._claims.clear()
        stack.enter_context(stage.worker("celery"))
        stack.enter_context(stage.worker(engine))
        _wait_for_workers(stage, shop, engine)
        # As in production: it runs beside the producers, and sends what some of them are at.
        stack.enter_context(stage.sweeping("--every", "2", "--older", "2"))
        orders, killed, repeated = {}, Counter(), Counter()
        for number in range(times):
            is_book, again = number % 4 == 3, number % 2 == 1
            these = {point: f"{claims_kind}-{point}-{number}" for point in POINTS}
            orders.update({order: (point, is_book, again) for point, order in these.items()})
            _rules(stage, claims, engine, 50)
            ended = _side_by_side(
                [(order, point, claims_kind, is_book) for point, order in these.items()]
            )
            killed.update(
                {at: int(os.WIFSIGNALED(one)) for at, one in zip(POINTS, ended, strict=True)}
            )
            if again:
                # As a producer that had no answer: with the same id, and by now other rules.
                _rules(stage, claims, engine, _ANY.choice((0, 20, 80, 100)))
                ended = _side_by_side(
                    [(order, 0, claims_kind, is_book) for order in these.values()]
                )
                assert not any(ended), (number, ended)
                repeated.update(POINTS.keys())
            if number % 20 == 19:
                tell(f"{engine}, {claims_kind}: {number + 1} of {times}")
        return _settle(stage, shop, engine, claims_kind, orders, killed, repeated)


def _wait_for_workers(stage, shop, engine):
    from offcanvas.cutover.rules import Rule

    def ready():
        try:
            return not shop.router.way(engine, Rule(ROOT, engine)).look()
        except Exception:
            return False

    pid = os.fork()  # connections of this process would not survive its forks
    if not pid:
        try:
            stage.until(lambda: shop.app.control.ping(timeout=1.0))
            stage.until(ready)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, "workers do not come up"


def _settle(stage, shop, engine, kind, orders, killed, repeated):
    from offcanvas.cutover.sweep import sweep

    router = shop.router
    claimed = {}

    def swept():
        done = sweep(router, older=0.0)
        assert not done.troubles, done.troubles
        return not router.claims.unsent(0.0, 1) and not router.claims.open(1)

    try:
        stage.until(swept, 900)
    except AssertionError as late:
        left = [*router.claims.unsent(0.0, 20), *router.claims.open(20)]
        told = [(one.id, one.engine, one.sent is not None, stage.ran(one.id)) for one in left]
        raise AssertionError(f"does not settle: {told}") from late
    for order in orders:
        found = router.claims.get(order)
        if found is not None:
            claimed[order] = found
    ran = defaultdict(Counter)
    for where, step, order in stage.lines():
        ran[order][where, step] += 1
    rows = []
    for point in POINTS:
        count = Counter()
        for order, (at, is_book, again) in orders.items():
            if at != point:
                continue
            steps = ["bind", *(f"page{n}" for n in range(PAGES))] if is_book else ["charge"]
            places = {where for where, _ in ran[order]}
            if order not in claimed:
                assert not again, order
                count["never_ordered" if not places else "unclaimed"] += 1
                continue
            count["lost"] += any(sum(ran[order][p, s] for p in places) == 0 for s in steps)
            count["twice"] += any(times > 1 for times in ran[order].values())
            count["on_both"] += len(places) > 1 or places != {claimed[order].engine}
            count["on_celery" if claimed[order].engine == "celery" else "on_engine"] += 1
        assert not count["unclaimed"], f"{count['unclaimed']} ran without a claim"
        rows.append(
            Row(
                engine, kind, point, killed[point], repeated[point],
                *(count[n] for n in ("on_celery", "on_engine", "never_ordered", "lost", "twice",
                                     "on_both")),
            )
        )  # fmt: skip
    router.close()
    return rows


def main():
    import argparse
    from dataclasses import asdict

    parser = argparse.ArgumentParser(prog="make cutover-drill")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--engine", choices=("temporal", "prefect"))
    parser.add_argument("--claims", choices=("redis", "postgresql"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = drill(given.engine, given.claims, given.times)
    told = [asdict(row) for row in rows]
    if given.out:
        given.out.write_text(json.dumps(told, indent=1) + "\n")
    bad = sum(row.lost + row.twice + row.on_both for row in rows)
    for row in rows:
        sys.stdout.write(f"{row}\n")
    killed = sum(row.killed for row in rows)
    sys.stdout.write(f"{killed} killed, {bad} orders lost, doubled or on both sides\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
