"""What the roll book holds, for comparison."""

from sqlalchemy import select

from shared.database import transaction
from shared.models import PollingCenter, Voter, VoterRegistration
from shared.roll_book import Row


def contents() -> list[Row]:
    """Every voter, by id."""
    query = (
        select(
            Voter.voter_id,
            Voter.voter_name,
            PollingCenter.center_id,
            PollingCenter.center_name,
        )
        .outerjoin(VoterRegistration, VoterRegistration.voter_id == Voter.voter_id)
        .outerjoin(PollingCenter, PollingCenter.center_id == VoterRegistration.center_id)
        .order_by(Voter.voter_id)
    )
    with transaction(read_only=True) as session:
        return [Row(*row) for row in session.execute(query)]


def center_names() -> dict[str, str]:
    with transaction(read_only=True) as session:
        return {
            center.center_id: center.center_name
            for center in session.scalars(select(PollingCenter))
        }
