"""F07: the database refuses a few times, then not any more."""

from __future__ import annotations

from sqlalchemy import text

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.profiles import (
    AIRFLOW,
    HARDENED,
    HARDENED_REDIS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    TEMPORAL,
)
from shared.probe import STARTED
from shared.steps import GENERATE

ITEMS, TIMES = ("C0001-1", "C0004-1", "C0008-1"), 2

# A sequence is not rolled back with the transaction: it counts the refusals.
_FUNCTION = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('refusals_' || lower(replace(NEW.item, '-', '_'))) <= %d THEN
    RAISE EXCEPTION 'refused for the sake of an experiment' USING ERRCODE = '40001';
  END IF;
  RETURN NEW;
END $$
"""


class TransientErrors(Fault):
    """The database refuses the effect of three stations with a serialization failure (SQLSTATE
    40001), twice each, and takes it the third time. Nothing has to be healed.
    """

    id, title = "F07", "Transient errors"
    source = (
        "Celery user guide, tasks: automatic retry for known exceptions; Prefect docs, "
        "write-tasks: retries; docs.temporal.io/encyclopedia/retry-policies"
    )
    phases = ("twice for each of three steps",)
    expects = {
        NAIVE: loses("no retry unless somebody writes one"),
        HARDENED: repeats("autoretry_for with backoff, at most three times"),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: repeats("retries=3 with the same backoff"),
        TEMPORAL: repeats("the retry policy with the same backoff"),
        AIRFLOW: repeats("retry_policy and retries=3, each delay drawn up to twice the backoff"),
        KIT_PREFECT: repeats("Celery's own autoretry_for"),
        KIT_TEMPORAL: repeats("the same"),
    }

    def prepare(self, cell: Cell) -> None:
        """Put the trigger in place."""
        names = ", ".join(f"'{item}'" for item in ITEMS)
        with cell.lane.session() as session:
            for item in ITEMS:
                session.execute(text(f"CREATE SEQUENCE {_sequence(item)}"))
            session.execute(text(_FUNCTION % TIMES))
            session.execute(
                text(
                    "CREATE TRIGGER refuse BEFORE INSERT ON effects FOR EACH ROW "
                    f"WHEN (NEW.step = '{GENERATE}' AND NEW.item IN ({names})) "
                    "EXECUTE FUNCTION refuse()"
                )
            )
        cell.trap(STARTED, item=ITEMS[0])

    def inject(self, cell: Cell) -> None:
        """The trigger strikes by itself."""
        held = cell.catch()
        cell.strike(f"the database refuses {', '.join(ITEMS)}, {TIMES} times each")
        held.release()

    def clean(self, cell: Cell) -> None:
        """Take the trigger away."""
        with cell.lane.session() as session:
            session.execute(text("DROP TRIGGER IF EXISTS refuse ON effects"))
            session.execute(text("DROP FUNCTION IF EXISTS refuse"))
            for item in ITEMS:
                session.execute(text(f"DROP SEQUENCE IF EXISTS {_sequence(item)}"))


def _sequence(item: str) -> str:
    return f"refusals_{item.lower().replace('-', '_')}"
