from sqlalchemy import select

from shared.database import transaction
from shared.models import PollingCenter
from shared.upsert import insert_missing, upsert


def names() -> dict[str, str]:
    with transaction(read_only=True) as session:
        rows = session.execute(select(PollingCenter.center_id, PollingCenter.center_name))
        return {row.center_id: row.center_name for row in rows}


def test_upsert_inserts_then_updates(database: str) -> None:
    for name in ("Old", "New"):
        with transaction() as session:
            upsert(session, PollingCenter, {"center_id": "C1", "center_name": name})
    assert names() == {"C1": "New"}


def test_insert_missing_leaves_what_is_there(database: str) -> None:
    with transaction() as session:
        upsert(session, PollingCenter, {"center_id": "C1", "center_name": "First"})
        rows = [
            {"center_id": "C1", "center_name": "Second"},
            {"center_id": "C2", "center_name": "Other"},
        ]
        insert_missing(session, PollingCenter, rows)
        insert_missing(session, PollingCenter, [])
    assert names() == {"C1": "First", "C2": "Other"}


def test_insert_missing_takes_more_rows_than_a_statement_has_room_for(database: str) -> None:
    rows = [{"center_id": f"C{n}", "center_name": "School"} for n in range(9_001)]
    with transaction() as session:
        insert_missing(session, PollingCenter, rows)
    assert len(names()) == 9_001
