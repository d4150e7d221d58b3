"""`make cutover-drill`: the drill and the load for each engine and each kind of claims, kept.

Each combination is a process of its own, because an app has one configuration in a process. What
60 kills or more at each point came to is kept in benchmarks/cutover_drill.json, and what the load
came to in benchmarks/cutover_load.json, combination by combination; `make pages` writes both into
docs/cutover.md.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(__file__).parents[2] / "benchmarks"
ENGINES, CLAIMS = ("temporal", "prefect"), ("redis", "postgresql")


def main():
    parser = argparse.ArgumentParser(prog="make cutover-drill")
    parser.add_argument("--times", type=int, default=200, help="kills at each point; 0 for none")
    parser.add_argument("--seconds", type=float, default=8, help="of each percentage; 0 for none")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--claims", choices=CLAIMS, action="append")
    given = parser.parse_args()
    bad = 0
    for engine, claims in itertools.product(given.engine or ENGINES, given.claims or CLAIMS):
        for module, name, value, keep in (
            ("drill", "times", given.times, given.times >= 60),
            ("load", "seconds", given.seconds, given.seconds >= 2),
        ):
            if not value:
                continue
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "rows.json"
                words = ["--engine", engine, "--claims", claims, f"--{name}", f"{value:g}"]
                command = [sys.executable, "-W", "ignore", "-m", f"tests.cutover.{module}", *words]
                bad |= subprocess.run([*command, "--out", str(out)], check=False).returncode
                if keep and out.exists():
                    _keep(KEPT / f"cutover_{module}.json", json.loads(out.read_text()))
    sys.exit(bad)


def _keep(path, rows):
    """In place of what was kept of the same combination."""
    there = json.loads(path.read_text()) if path.exists() else []
    new = {(row["engine"], row["claims"]) for row in rows}
    kept = [row for row in there if (row["engine"], row["claims"]) not in new] + rows
    kept.sort(key=lambda row: (ENGINES.index(row["engine"]), CLAIMS.index(row["claims"])))
    path.write_text(json.dumps(kept, indent=1) + "\n")


main()
