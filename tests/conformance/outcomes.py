"""What each test came to: passed, failed, xfailed, xpassed or skipped, and how long it took."""

from dataclasses import dataclass

#: Of two reports on one test the later of these words stays.
_WORSE = ("passed", "skipped", "xpassed", "xfailed", "failed")


@dataclass
class Ran:
    """One test's outcome; `why` is the last line of what it says for itself."""

    outcome: str = "passed"
    seconds: float = 0.0
    why: str = ""


def note(ran, report):
    """Take one of pytest's reports in: setup, call, subtests, teardown."""
    name = report.nodeid.partition("::")[2].replace("::", ".")
    one = ran.setdefault(name, Ran())
    one.seconds += report.duration
    outcome = _outcome(report)
    if _WORSE.index(outcome) > _WORSE.index(one.outcome):
        one.outcome, one.why = outcome, _why(report)


def _outcome(report):
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return report.outcome


def _why(report):
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else str(report.longrepr or "")).strip()
