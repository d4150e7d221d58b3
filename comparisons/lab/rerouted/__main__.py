"""`python -m comparisons.lab.rerouted SECONDS`: beat, inside an open switch, sweeps so often.

`python -m comparisons.lab.rerouted watch --port PORT`: what metrics tell of the engine as a whole.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Run beat, or the watch, until SIGTERM; each sweep of beat's is a canvas of its own."""
    if sys.argv[1] == "watch":
        from comparisons.lab.rerouted.watch import run_watch

        run_watch(int(sys.argv[-1]))
    else:
        _sweep(float(sys.argv[1]))


def _sweep(every: float) -> None:
    from comparisons.lab.rerouted.app import app, sweep
    from comparisons.lab.rerouted.client import switch

    app.conf.beat_schedule = {
        "sweep": {
            "task": sweep.name,
            "schedule": every,
            "args": (every,),
            "options": {"expires": every},
        }
    }
    with switch, tempfile.TemporaryDirectory(prefix="celery-beat-") as folder:
        app.Beat(schedule=str(Path(folder) / "schedule"), loglevel="WARNING", quiet=True).run()


if __name__ == "__main__":
    main()
