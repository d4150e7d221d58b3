"""The list of tests that do not simply pass, and what is wrong with a run."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("expected.toml")
#: Of Celery, whose tests are run.
RELEASES = ("5.6", "5.7")
#: Why a test is on the list; the page has a section for each.
KINDS = {
    "innards": "It tests how Celery does it",
    "differs": "The kit does otherwise, on purpose",
    "mended": "Celery expects it to fail, and it passes",
    "eager": "Celery's own failure, which no engine touches",
    "baseline": "Celery itself",
}


@dataclass(frozen=True)
class Entry:
    """One entry: tests, on which engines, what comes of them and why.

    A name without parameters stands for all of a test's parameters.
    """

    tests: tuple[str, ...]
    on: tuple[str, ...]
    outcome: str
    kind: str
    reason: str
    releases: tuple[str, ...] = RELEASES

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"{self.tests[0]}: no kind {self.kind!r}")
        known = {"failed", "xfailed", "xpassed", "skipped"}
        if not self.outcomes - {"passed"} or not self.outcomes <= {*known, "passed"}:
            raise ValueError(f"{self.tests[0]}: no outcome {self.outcome!r}")

    @property
    def outcomes(self):
        """What may come of the tests: one word, or two where it hangs on timing."""
        return set(self.outcome.split(" or "))

    def names(self, test):
        """Whether this entry speaks of the test."""
        return test in self.tests or test.partition("[")[0] in self.tests


def entries():
    """All entries, in the order of the file."""
    rows = tomllib.loads(LIST.read_text())["listed"]
    listed = ("tests", "on", "releases")
    return [
        Entry(**{name: tuple(it) if name in listed else it for name, it in row.items()})
        for row in rows
    ]


def expected(engine, release):
    """The entries for an engine and a release of Celery."""
    return [one for one in entries() if engine in one.on and release in one.releases]


def complaints(listed, ran, *, whole):
    """One line for each test that did what it was not expected to do.

    With ``whole`` also for each listed name that no test has.
    """
    wrong = []
    for name, one in sorted(ran.items()):
        wanted = [entry for entry in listed if entry.names(name)]
        if len(wanted) > 1:
            wrong.append(f"LISTED TWICE {name}")
        elif not wanted and one.outcome != "passed":
            wrong.append(f"NOT LISTED {name}: {one.outcome} ({_short(one.why)})")
        elif wanted and one.outcome not in wanted[0].outcomes:
            wrong.append(f"LISTED {name} as {wanted[0].outcome}: {one.outcome} ({_short(one.why)})")
    bare = {name.partition("[")[0] for name in ran} | set(ran)
    if whole:
        named = {name for entry in listed for name in entry.tests}
        wrong += [f"NO SUCH TEST {name}" for name in sorted(named - bare)]
    return wrong


def _short(text):
    return " ".join(text.split())[:160]
