from sqlalchemy import select

from shared.database import create_tables, transaction
from shared.models import PollingCenter


def test_creating_the_tables_again_changes_nothing(database: str) -> None:
    with transaction() as session:
        session.add(PollingCenter(center_id="C1", center_name="Σχολείο"))
    create_tables()
    with transaction(read_only=True) as session:
        assert session.scalars(select(PollingCenter.center_name)).all() == ["Σχολείο"]
