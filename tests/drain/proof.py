"""`make drain-proof`: each planted state, and how long the command takes to say yes afterwards.

The figures are kept in benchmarks/drain.json; `make pages` writes them into docs/drain.md.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from offcanvas.drain.watch import look_twice, wait_until_drained
from tests.drain.conftest import staged
from tests.drain.plants import PLANTS

KEPT = Path(__file__).parents[2] / "benchmarks" / "drain.json"
#: Seconds between the two looks, as the command has them.
_APART = 5.0


def main():
    """Plant, look, take away, wait; keep what came of all."""
    parser = argparse.ArgumentParser(prog="make drain-proof")
    parser.add_argument("--only", metavar="TEXT", help="states whose name holds this; not kept")
    given = parser.parse_args()
    rows = {}
    for broker in ("redis", "rabbitmq"):
        with staged(broker) as stage:
            for plant in PLANTS:
                if plant.broker == broker and (given.only or "") in plant.name:
                    rows[plant.name] = _planted(stage, plant)
                    sys.stdout.write(f"{rows[plant.name]}\n")
                    stage.app.backend.client.flushdb()
    told = [rows[plant.name] for plant in PLANTS if plant.name in rows]
    if not given.only:
        KEPT.write_text(json.dumps(told, indent=1) + "\n")
    missed = [one for one in told if not one["places"]]
    late = [one for one in told if one["seconds"] > 10]
    sys.stdout.write(f"{len(told)} states, {len(missed)} missed, {len(late)} after ten seconds\n")
    sys.exit(1 if missed else 0)


def _planted(stage, plant):
    with tempfile.TemporaryDirectory() as folder:
        with plant.plant(stage, Path(folder)):
            said = {one.place for one in look_twice(stage.app, 0.1).waiting}
        gone = time.monotonic()
        drained = wait_until_drained(stage.app, _APART, timeout=120)
        seconds = time.monotonic() - gone
    places = sorted(said) if plant.place in said and drained.safe else []
    return {
        "broker": plant.broker,
        "state": plant.state,
        "places": [str(one) for one in places],
        "seconds": round(seconds, 2),
    }


if __name__ == "__main__":
    main()
