"""What a look finds: how much waits in which place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where work can wait."""

    READY = "ready"
    OTHER_QUEUES = "other-queues"
    UNACKNOWLEDGED = "unacknowledged"
    DELAYED = "delayed"
    SCHEDULED = "scheduled"
    RESERVED = "reserved"
    ACTIVE = "active"
    CHORDS = "chords"
    CLAIMS = "claims"
    BEAT = "beat"
    WORKERS = "workers"
    REVOKED = "revoked"
    RESULTS = "results"


#: What each place holds, for people.
MEANING = {
    Place.READY: "messages in the app's queues",
    Place.OTHER_QUEUES: "messages in queues of this broker that the app does not name",
    Place.UNACKNOWLEDGED: "messages delivered and not yet acknowledged",
    Place.DELAYED: "messages whose time has not come, inside the broker",
    Place.SCHEDULED: "tasks whose time has not come, in workers; retries among them",
    Place.RESERVED: "tasks that workers have taken and not begun",
    Place.ACTIVE: "tasks that run",
    Place.CHORDS: "chords whose body has not been sent",
    Place.CLAIMS: "orders that are claimed for Celery and were never sent",
    Place.BEAT: "entries of the schedule that are switched on",
    Place.WORKERS: "workers that the broker knows and that do not answer",
    Place.REVOKED: "ids that workers remember as revoked",
    Place.RESULTS: "results that are still stored",
}
#: Good to know, and no reason to wait.
INFORMATIVE = frozenset({Place.REVOKED, Place.RESULTS})


@dataclass(frozen=True, slots=True)
class Finding:
    """What waits in one place.

    Attributes:
        place: where.
        count: how many; None where it cannot be told.
        detail: which ones, until when, or why it cannot be told; empty if there is nothing to say.
    """

    place: Place
    count: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """All findings at one moment.

    Attributes:
        findings: one for each place, in the order in which a message moves on.
        begun: how many tasks the workers that answer have begun since they came up, by worker.
    """

    findings: tuple[Finding, ...]
    begun: tuple[tuple[str, int], ...] = ()

    def waiting(self, without: Collection[Place] = ()) -> tuple[Finding, ...]:
        """What keeps the app from being drained; ``without`` are places that somebody vouches for.

        What cannot be told counts as waiting.
        """
        left_out = INFORMATIVE | set(without)
        return tuple(one for one in self.findings if one.place not in left_out and one.count != 0)

    def of(self, place: Place) -> Finding:
        """The finding of this place."""
        return next(one for one in self.findings if one.place is place)
