"""What can go wrong in the domain.

VoterRollsError
|-- UsageError            a person gave us something that cannot work: exit code 2
|   |-- BadRows           of a file, see shared.roll_book.files
|   `-- MissingGlyph, UnprintableText, BadFont of a roll, see shared.rolls.errors
|-- UnknownStation        no voter is assigned to that station in that run
`-- RollUnderObjection    the roll must not be printed: retrying does not help
"""

from __future__ import annotations

from sqlalchemy.exc import OperationalError


class VoterRollsError(Exception):
    """Anything that the domain raises on purpose."""


class UsageError(VoterRollsError):
    """A flag, a file, an address or a setting that cannot work; the message is one line."""


class UnknownStation(VoterRollsError):  # noqa: N818 - reads as the fact it reports
    """No voter is assigned to this station in this run."""


class RollUnderObjection(VoterRollsError):  # noqa: N818 - reads as the fact it reports
    """The roll of this station must not be printed."""


# Worth another try: the database was locked, restarted or out of reach; the disk was busy.
# Everything else in the domain is permanent, and every engine is told so.
TRANSIENT: tuple[type[Exception], ...] = (OperationalError, OSError)
