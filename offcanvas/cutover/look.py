"""What metrics tell of claims: those never sent, and orders of work that have not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offcanvas.metrics.sight import Sight, Waiting

if TYPE_CHECKING:
    from offcanvas.cutover.claims import Claims

#: The label of the engine: claims are for all of them.
ENGINE = "cutover"
_MOST = 10_000


def look(claims: Claims, older: float) -> Sight:
    """Ask the claims. ``older`` is the age in seconds of a claim that counts as never sent.

    Raises:
        ClaimsUnavailable: they do not answer.
    """
    unsent = claims.unsent(older, _MOST)
    waiting = [*claims.open(_MOST), *claims.unsent(0.0, _MOST)]
    oldest = min((claim.made for claim in waiting), default=None)
    return Sight(unsent=len(unsent), runs=Waiting(len(waiting), oldest))
