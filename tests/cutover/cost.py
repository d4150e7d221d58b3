"""`make cutover-cost`: what the router costs a caller, in runs that take turns.

An order of a task that does nothing is sent without the router, with a file that has no rule for
it, at 0 per cent, and claimed; and to an engine by the kit alone, at 100 per cent, and claimed.
Orders have an hour's countdown, so that nothing runs beside them. The figures are kept in
benchmarks/cutover_cost.json; `make pages` writes them into docs/cutover.md.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from comparisons.machine import environment
from comparisons.results import now
from tests.cutover.drill import staged
from tests.services import private_postgres

KEPT = Path(__file__).parents[2] / "benchmarks" / "cutover_cost.json"
ROOT = "tests.cutover.shop.charge"
_RULE = '[root."{root}"]\nto = "{engine}"\npercent = {percent}\n{more}'
_ANY = random.Random(5)  # noqa: S311  # no secret
#: A rule for something else, or none at all, and the one that is measured.
CELERY = {
    "no rule": None,
    "0 per cent": (0, ""),
    "claimed, to Celery": (0, "claims = true\n"),
}
THERE = {"100 per cent": (100, ""), "claimed, to the engine": (100, "claims = true\n")}


def main():
    """Measure, print and keep; each combination in a process, as an app has one configuration."""
    parser = argparse.ArgumentParser(prog="make cutover-cost")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--engine", choices=("temporal", "prefect"), action="append")
    parser.add_argument("--claims", choices=("redis", "postgresql"), action="append")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.out:
        (engine,), (claims,) = given.engine, given.claims
        rows = measure(engine, claims, given.rounds, given.calls)
        given.out.write_text(json.dumps(rows))
        return
    engines, kinds = (
        given.engine or ("temporal", "prefect"),
        given.claims or ("redis", "postgresql"),
    )
    for engine, claims in itertools.product(engines, kinds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.json"
            words = ["--engine", engine, "--claims", claims, "--out", out]
            # A Prefect server takes a tenth of the calls that a Temporal server takes.
            calls = given.calls if engine == "temporal" else max(1, given.calls // 10)
            words += ["--rounds", str(given.rounds), "--calls", str(calls)]
            command = [sys.executable, "-W", "ignore", "-m", "tests.cutover.cost", *words]
            subprocess.run(command, check=True)
            rows = json.loads(out.read_text())
            for row in rows:
                sys.stdout.write(f"{row}\n")
            if given.rounds >= 15:
                _keep(rows, given.rounds)


def _keep(rows, rounds):
    """In place of what was kept of the same combination."""
    there = json.loads(KEPT.read_text())["rows"] if KEPT.exists() else []
    new = {(row["engine"], row["claims"]) for row in rows}
    told = {
        "created": now().isoformat(),
        "environment": environment(),
        "load": os.getloadavg()[0],
        "rounds": rounds,
        "rows": [row for row in there if (row["engine"], row["claims"]) not in new] + rows,
    }
    KEPT.write_text(json.dumps(told, indent=1) + "\n")


def measure(engine, kind, rounds, calls):
    """A row for each way: what a call takes, and by how much that is more than without."""
    with ExitStack() as stack:
        stage, claims = stack.enter_context(staged(engine))
        if kind == "postgresql":
            claims = stack.enter_context(private_postgres())
        head = f'[cutover]\nclaims = "{claims}"\n'
        stage.rules.write_text(head)
        os.environ.update(stage.environment, CUTOVER_RULES="")
        stack.enter_context(stage.worker(engine))
        words = ("set", ROOT, "--to", engine, "--percent", "1")
        stage.until(lambda: stage.command(*words).returncode == 0)
        from offcanvas import reroute
        from tests.cutover import shop

        settings = {
            "broker_url": stage.environment["CUTOVER_BROKER"],
            "result_backend": stage.environment["CUTOVER_RESULTS"],
        }
        shop.app.conf.update(settings)
        ways = {("celery", "without the router"): nullcontext}
        for name, rule in CELERY.items():
            ways["celery", name] = partial(_router, stage, shop, head, engine, rule)
        ways[engine, "without the router"] = lambda: reroute(shop.app, to=engine)
        for name, rule in THERE.items():
            ways[engine, name] = partial(_router, stage, shop, head, engine, rule)
        return _in_turns(ways, shop.charge, engine, kind, rounds, calls)


@contextmanager
def _router(stage, shop, head, engine, rule):
    from offcanvas.cutover import cut_over

    text = head
    if rule is not None:
        percent, more = rule
        text += _RULE.format(root=ROOT, engine=engine, percent=percent, more=more)
    stage.rules.write_text(text)
    with closing(cut_over(shop.app, stage.rules)) as router:
        yield router


def _in_turns(ways, task, engine, kind, rounds, calls):
    seconds, cpu = {way: [] for way in ways}, {way: [] for way in ways}
    inserts, others = Counter(), Counter()
    for number in range(rounds + 1):
        # Whose turn it is after which other one is left to chance.
        for way, opened in _ANY.sample(list(ways.items()), len(ways)):
            with opened() as router:
                for _ in range(2):  # connections, and what is looked up once
                    task.apply_async((0,), countdown=3600)
                counted = _counting(router)
                began, used = time.perf_counter(), time.process_time()
                for one in range(calls):
                    task.apply_async((one,), countdown=3600)
                took, used = time.perf_counter() - began, time.process_time() - used
            if number:  # the first round is to get warm
                seconds[way].append(took / calls)
                cpu[way].append(used / calls)
                inserts[way] += counted["claim"]
                others[way] += counted.total() - counted["claim"]
    rows = []
    for way in ways:
        to, name = way
        base = (to, "without the router")
        rows.append(
            {
                "claims": kind,
                "calls": calls,
                "engine": engine,
                "to": to,
                "way": name,
                "milliseconds": 1_000 * statistics.median(seconds[way]),
                "cpu_milliseconds": 1_000 * statistics.median(cpu[way]),
                "ratio": _ratios(seconds[way], seconds[base]),
                "cpu_ratio": _ratios(cpu[way], cpu[base]),
                "claims_per_order": inserts[way] / (rounds * calls),
                "other_questions_per_order": others[way] / (rounds * calls),
            }
        )
    return rows


def _ratios(these, those):
    """Median, min and max of the ratios, round by round: a slow minute falls on both."""
    each = [one / other for one, other in zip(these, those, strict=True)]
    return [statistics.median(each), min(each), max(each)]


def _counting(router):
    """Counts what the claims are asked from now on, by the name of the question."""
    counted = Counter()
    claims = router and getattr(router, "claims", None)
    if claims is None:
        return counted
    for name in ("claim", "get", "note_sent", "begin", "unsent", "open", "since"):
        setattr(claims, name, _counted(name, getattr(claims, name), counted))
    return counted


def _counted(name, question, counted):
    def asked(*given, **more):
        counted[name] += 1
        return question(*given, **more)

    return asked


if __name__ == "__main__":
    main()
