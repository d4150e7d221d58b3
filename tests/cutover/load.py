"""Orders under load, while the percentage goes up and down and while all of it is rolled back.

Producers send orders of a few hundred keys side by side, and repeat some of their calls later, when
the percentage is another. In the end each order has run once, where its claim says; each claim went
where the rules of its moment send its key; and what was called after a rollback is on Celery.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from offcanvas.cutover.decision import CELERY, place_of
from offcanvas.cutover.rules import parse
from tests.cutover.drill import staged
from tests.cutover.stage import APP
from tests.services import private_postgres

ROOT = f"{APP}.pay"
#: One step after the other; the last is followed by the rollback.
STEPS = (10, 50, 90, 40, 10, 60, 100, 80)
KEYS = 200
#: Seconds between two calls of one producer; how many of them side by side.
_PAUSE, _PRODUCERS = {"temporal": 0.1, "prefect": 0.4}, 3
#: The share of calls that are made again, and the seconds after which.
_AGAIN, _LATER = 0.2, 1.5


@dataclass(frozen=True)
class Pressed:
    """What came of it.

    Attributes:
        steps: the percentages, in order.
        orders: how many different orders were called for; keys, how many different keys they had.
        repeated: calls with the id of an order that was called for before.
        on_celery, on_engine: orders by where their claims are.
        moved_back: keys that went to the engine, and later at a percentage not lower to Celery; and
            those that went to Celery, and later at a percentage not higher to the engine.
        astray: claims that are not where the rules of their moment send their key.
        after_rollback: orders that were called for first after the command had ended.
        late: those of them that are not on Celery.
        lost, twice, elsewhere: orders of which the ledger has no line, several, or one of another
            engine than the claim's.
    """

    engine: str
    claims: str
    steps: tuple[int, ...]
    orders: int
    keys: int
    repeated: int
    on_celery: int
    on_engine: int
    moved_back: int
    astray: int
    after_rollback: int
    late: int
    lost: int
    twice: int
    elsewhere: int

    @property
    def harm(self) -> int:
        """What must not be."""
        return self.moved_back + self.astray + self.late + self.lost + self.twice + self.elsewhere


def press(stage, engine, kind, seconds):
    """Producers at work while the percentage changes every ``seconds``, and then a rollback."""

    def set_to(*words):
        # A server with much to do may not answer in time: then the file is as it was.
        stage.until(lambda: stage.command("set", ROOT, *words).returncode == 0)
        rules = parse(stage.rules.read_text(), "the file")
        moments.append((rules.version, rules.salt, rules.roots[ROOT].percent))

    moments = []
    # Claimed from the first order on, as whoever repeats calls over a change wants it.
    text = stage.rules.read_text().partition("[root")[0]
    stage.rules.write_text(f'{text}[root."{ROOT}"]\nto = "{engine}"\nclaims = true\nkey = "key"\n')
    set_to("--percent", "0")
    with _producing(stage, _PAUSE[engine]) as calls:
        for percent in STEPS:
            time.sleep(seconds)
            set_to("--percent", str(percent))
        time.sleep(seconds)
        back = stage.command("rollback", ROOT)
        assert back.returncode == 0, back.stderr
        ended = time.time()
        time.sleep(seconds)
        # However slow the machine is: some were called for since, and some again.
        stage.until(lambda: sum(one["at"] > ended for one in calls()) > 3)
        stage.until(lambda: len(calls()) > len({one["order"] for one in calls()}))
    rules = parse(stage.rules.read_text(), "the file")
    moments.append((rules.version, rules.salt, 0.0))
    return _judged(stage, engine, kind, calls(), moments, ended)


@contextmanager
def _producing(stage, pause):
    """Producers, as long as this lasts; gives what tells of their calls afterwards."""
    stop = stage.folder / "stop"
    stop.unlink(missing_ok=True)
    logs = [stage.folder / f"calls-{number}" for number in range(_PRODUCERS)]
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "tests.cutover.load",
                str(log),
                str(stop),
                str(pause),
            ],
            env=stage.env(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for log in logs
    ]
    try:
        stage.until(lambda: all(log.exists() for log in logs))
        yield lambda: [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    finally:
        stop.touch()
        said = [one.communicate(timeout=300)[1] for one in running]
        for log in logs:
            if any(one.returncode for one in running):
                log.unlink(missing_ok=True)
    assert not any(one.returncode for one in running), said


def _judged(stage, engine, kind, calls, moments, rolled_back):
    claimed = {}

    def settled():
        ran = stage.command("sweep", "--older", "1")
        assert (ran.returncode, ran.stderr) == (0, "")
        status = json.loads(stage.command("status", "--json").stdout)
        (root,) = status["roots"]
        return not any(side["open"] for side in root["sides"])

    stage.until(settled, 600)
    for one in stage.claims():
        claimed[one.id] = one
    first = {}
    for call in sorted(calls, key=lambda one: one["at"]):
        first.setdefault(call["order"], call)
    ran = defaultdict(Counter)
    for where, _, order in stage.lines():
        ran[order][where] += 1
    count = Counter()
    when = {version: number for number, (version, *_) in enumerate(moments)}
    of_key = defaultdict(set)
    for order in first:
        claim = claimed.get(order)
        count["lost"] += claim is None or not ran[order]
        if claim is None:
            continue
        count["twice"] += ran[order].total() > 1
        count["elsewhere"] += bool(ran[order]) and set(ran[order]) != {claim.engine}
        count["celery" if claim.engine == CELERY else "engine"] += 1
        _, salt, percent = moments[when[claim.version]]
        due = engine if place_of(salt, ROOT, claim.key) < 100 * percent else CELERY
        count["astray"] += claim.engine != due
        of_key[claim.key].add((when[claim.version], claim.engine))
        if first[order]["at"] > rolled_back:
            count["after"] += 1
            count["late"] += claim.engine != CELERY
    for places in of_key.values():
        count["moved_back"] += any(
            ((was, now) == (engine, CELERY) and moments[later][2] >= moments[earlier][2])
            or ((was, now) == (CELERY, engine) and moments[later][2] <= moments[earlier][2])
            for (earlier, was), (later, now) in pairwise(sorted(places))
        )  # fmt: skip
    return Pressed(
        engine, kind, (0, *STEPS, 0), len(first), len(of_key), len(calls) - len(first),
        count["celery"], count["engine"], count["moved_back"], count["astray"], count["after"],
        count["late"], count["lost"], count["twice"], count["elsewhere"],
    )  # fmt: skip


def produce(log, stop, pause):
    """Send orders until there is a file ``stop``; a line for each call that has come back."""
    from tests.cutover import shop

    any_of = random.Random(os.getpid())  # noqa: S311  # no secret
    again = []
    with Path(log).open("w", buffering=1) as told:
        number = 0
        while not Path(stop).exists():
            if again and again[0][0] < time.time():
                _, order, key = again.pop(0)
            else:
                number += 1
                order, key = f"{os.getpid()}-{number}", f"key {any_of.randrange(KEYS)}"
                if any_of.random() < _AGAIN:
                    again.append((time.time() + _LATER, order, key))
            at = time.time()
            shop.pay.apply_async((order, key), task_id=order)
            told.write(json.dumps({"order": order, "at": at}) + "\n")
            time.sleep(float(pause))
    shop.router.close()


def main():
    """A combination by itself, for `make cutover-drill`."""
    parser = argparse.ArgumentParser(prog="make cutover-drill")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--engine", choices=("temporal", "prefect"))
    parser.add_argument("--claims", choices=("redis", "postgresql"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with ExitStack() as stack:
        stage, claims = stack.enter_context(staged(given.engine))
        if given.claims == "postgresql":
            claims = stack.enter_context(private_postgres())
        stage.rules.write_text(f'[cutover]\nclaims = "{claims}"\n')
        os.environ.update(stage.environment)
        stack.enter_context(stage.worker("celery"))
        stack.enter_context(stage.worker(given.engine))
        words = ("set", ROOT, "--to", given.engine, "--percent", "1")
        stage.until(lambda: stage.command(*words).returncode == 0)
        stack.enter_context(stage.sweeping("--every", "2"))
        found = press(stage, given.engine, given.claims, given.seconds)
    if given.out:
        given.out.write_text(json.dumps([asdict(found)], indent=1) + "\n")
    sys.stdout.write(f"{found}\n{found.harm} keys or orders not as they have to be\n")
    sys.exit(1 if found.harm else 0)


if __name__ == "__main__":
    produce(*sys.argv[1:]) if len(sys.argv) == 4 else main()
