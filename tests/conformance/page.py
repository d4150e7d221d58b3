"""docs/conformance.md, made of the kept runs and the list. python -m tests.conformance.page"""

from collections import Counter
from pathlib import Path

from tests.conformance import results
from tests.conformance.expected import KINDS, RELEASES, entries

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

_HEAD = """\
# Celery's own tests on the engines

Celery's source distribution carries tests that its maintainers run against real brokers and
workers. `make conformance` gets it from PyPI (the archive's hash is checked), and runs the files as
they are, on a Celery of the same release, through a pytest plugin that puts an engine where the
tests have a Celery worker: of Celery 5.7 `t/integration/test_canvas.py`, `test_group_chains.py` and
`test_tasks.py`, of Celery 5.6 the first of them.

    make conformance ON=temporal
    make conformance-5.7 ON=memory ARGS="-k test_chord"

`ON` is {engines}. On `celery` the plugin
does nothing: that is the baseline. Elsewhere

* each test's app is rerouted as `offcanvas.reroute` does it, to one server and one worker for the
  whole run, with a private Redis for results; at the address of the broker nobody listens;
* `manager.inspect().ping()` is a canvas of one task, and `manager.wait_until_idle()` waits until
  all that was started has ended: the originals ask Celery workers through the broker;
* nothing is run again: marks for flaky tests are ignored.

A test that fails and is not on the list below is an error, and so is a listed one that passes.
This page is made from the list (`tests/conformance/expected.toml`) and the kept runs.
"""


def text():
    """The page."""
    kept = results.load()
    names = sorted({name for run in kept.values() for name in run["outcomes"]})
    parts = [_HEAD.format(engines=_engines()), "## Results", "", *_summary(kept), ""]
    for kind, title in KINDS.items():
        parts += _section(kind, title)
    parts += ["## Every test", "", *_every(kept, names), ""]
    return "\n".join(parts)


def _names():
    from tests.conformance.__main__ import ENGINES

    return sorted(ENGINES)


def _engines():
    *most, last = [f"`{name}`" for name in _names()]
    return f"{', '.join(most)} or {last}"


def _summary(kept):
    words = results.OUTCOMES
    yield f"| Celery | engine | tests | {' | '.join(words)} | run | with |"
    yield f"|---|---|--:|{'--:|' * len(words)}---|---|"
    for (release, engine), run in kept.items():
        counts = Counter(run["outcomes"].values())
        cells = " | ".join(str(counts[word]) for word in words)
        versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
        count, again = len(run["outcomes"]), len(run.get("again", ()))
        more = f"; {again} of them once more" if again else ""
        told = f"{run['date']}, {run['minutes']} min{more}"
        yield (
            f"| {release} | {engine} | {count} | {cells} | {told} |"
            f" Python {run['python']}, {versions} |"
        )
    yield ""
    yield "*xfailed*: marked as an expected failure by Celery, and failing. *xpassed*: marked so,"
    yield "and passing."
    missing = [
        f"{name} with Celery {release}"
        for release in RELEASES
        for name in _names()
        if (release, name) not in kept
    ]
    if missing:
        yield ""
        yield f"No whole run is kept for: {', '.join(missing)}."


def _section(kind, title):
    listed = [entry for entry in entries() if entry.kind == kind]
    if not listed:
        return
    yield f"## {title}"
    yield ""
    yield "| tests | on | Celery | outcome | why |"
    yield "|---|---|---|---|---|"
    for entry in listed:
        tests = "<br>".join(f"`{name}`" for name in entry.tests)
        on, releases = ", ".join(entry.on), ", ".join(entry.releases)
        yield f"| {tests} | {on} | {releases} | {entry.outcome} | {entry.reason} |"
    yield ""


def _every(kept, names):
    yield f"| | {' | '.join(f'{engine} {release}' for release, engine in kept)} |"
    yield f"|---|{'---|' * len(kept)}"
    for name in names:
        cells = [run["outcomes"].get(name, "not run") for run in kept.values()]
        yield f"| `{name}` | {' | '.join(cells)} |"


def write():
    """Make the page anew."""
    PAGE.write_text(text())


if __name__ == "__main__":
    write()
