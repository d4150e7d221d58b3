"""Whether a root does worse than on Celery in the same time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles

from offcanvas.cutover.claims import FAILURE, GONE, Claim
from offcanvas.cutover.decision import CELERY
from offcanvas.cutover.rules import Rule


def trouble(claims: Sequence[Claim], rule: Rule, now: float) -> str | None:
    """Why the root is to be stopped, in words; None if it is not, or too little has ended.

    Args:
        claims: of the time that is looked at, of any root.
        rule: the root's, with a guard.
        now: by the clock of the claims.
    """
    guard = rule.guard
    if guard is None:
        return None
    ended = [
        one
        for one in claims
        if one.root == rule.root and one.ended is not None and one.ended >= now - guard.within
    ]
    there = [one for one in ended if one.engine == rule.to]
    here = [one for one in ended if one.engine == CELERY]
    if len(there) < guard.runs or len(here) < guard.runs:
        return None
    if guard.failures is not None:
        ours, theirs = failed_share(here), failed_share(there)
        if theirs > ours + guard.failures:
            return (
                f"{theirs:.1%} of {len(there)} runs on {rule.to} have failed, and {ours:.1%} of "
                f"{len(here)} on Celery"
            )
    if guard.p95 is not None:
        slow, fast = p95(there), p95(here)
        if slow is not None and fast is not None and slow > fast * guard.p95:
            return (
                f"the 95th percentile of {len(there)} runs on {rule.to} is {slow:.2f} s, and "
                f"{fast:.2f} s of {len(here)} on Celery"
            )
    return None


def failed_share(claims: Sequence[Claim]) -> float:
    """The share of ended runs that have failed."""
    return sum(one.state in {FAILURE, GONE} for one in claims) / len(claims) if claims else 0.0


def p50(claims: Sequence[Claim]) -> float | None:
    """The median of the seconds to the end."""
    return _percentile(claims, 50)


def p95(claims: Sequence[Claim]) -> float | None:
    """The 95th percentile of the seconds to the end."""
    return _percentile(claims, 95)


def _percentile(claims: Sequence[Claim], percent: int) -> float | None:
    took = [one.took for one in claims if one.took is not None]
    if not took:
        return None
    return quantiles(took, n=100, method="inclusive")[percent - 1] if len(took) > 1 else took[0]
