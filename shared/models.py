"""The tables: a roll book (centers, voters, registrations) and what runs make of it.

Every step of the workflow is idempotent because of the keys here: doing a step twice meets the
same primary key and updates the same row. `effects` is the exception on purpose: it has no key
beyond its own, so that repeated work can be counted.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MAX_ID = 64
MAX_NAME = 200


def _text(length: int) -> String:
    """A string that compares by code point on every database.

    SQLite compares the UTF-8 bytes (`BINARY`), PostgreSQL would follow the locale unless told
    `COLLATE "C"`. Both then agree with Python's own order of `str`.
    """
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The declarative base of all tables."""


class PollingCenter(Base):
    """A place where people vote."""

    __tablename__ = "centers"

    center_id: Mapped[str] = mapped_column(_text(MAX_ID), primary_key=True)
    center_name: Mapped[str] = mapped_column(_text(MAX_NAME))


class Voter(Base):
    """A person on the roll."""

    __tablename__ = "voters"

    voter_id: Mapped[str] = mapped_column(_text(MAX_ID), primary_key=True)
    voter_name: Mapped[str] = mapped_column(_text(MAX_NAME))


class VoterRegistration(Base):
    """A voter is registered at exactly one center: the voter is the key."""

    __tablename__ = "registrations"

    voter_id: Mapped[str] = mapped_column(ForeignKey("voters.voter_id"), primary_key=True)
    center_id: Mapped[str] = mapped_column(ForeignKey("centers.center_id"), index=True)


class Run(Base):
    """One execution of one variant on one engine."""

    __tablename__ = "runs"

    run_id: Mapped[str] = mapped_column(_text(MAX_ID), primary_key=True)
    variant: Mapped[str] = mapped_column(_text(MAX_ID))
    engine: Mapped[str] = mapped_column(_text(MAX_ID))
    started_at: Mapped[float]


class StationAssignment(Base):
    """The station at which a voter votes, and the voter's line on that station's roll."""

    __tablename__ = "station_assignments"
    __table_args__ = (
        Index("ix_assignments_by_station", "run_id", "station_id", "position"),
        Index("ix_assignments_by_center", "run_id", "center_id", "station_number"),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), primary_key=True)
    voter_id: Mapped[str] = mapped_column(ForeignKey("voters.voter_id"), primary_key=True)
    center_id: Mapped[str] = mapped_column(ForeignKey("centers.center_id"))
    station_id: Mapped[str] = mapped_column(_text(MAX_ID + 8))
    station_number: Mapped[int]
    position: Mapped[int]


class Objection(Base):
    """A station whose roll must not be printed: asking for it is an error for good."""

    __tablename__ = "objections"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), primary_key=True)
    station_id: Mapped[str] = mapped_column(_text(MAX_ID + 8), primary_key=True)
    reason: Mapped[str] = mapped_column(_text(MAX_NAME))


class PrintedRoll(Base):
    """A roll that lies on disk, whole."""

    __tablename__ = "rolls"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), primary_key=True)
    station_id: Mapped[str] = mapped_column(_text(MAX_ID + 8), primary_key=True)
    file_name: Mapped[str] = mapped_column(String(3 * MAX_ID + 32))
    pages: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))


class Summary(Base):
    """The fan-in of a run: how many parts it was given and what they add up to."""

    __tablename__ = "summaries"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), primary_key=True)
    parts: Mapped[int]
    total_pages: Mapped[int]
    published: Mapped[bool] = mapped_column(default=False)


class Intent(Base):
    """A step that a run means to execute, written before anything is queued."""

    __tablename__ = "intents"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), primary_key=True)
    step: Mapped[str] = mapped_column(_text(MAX_ID), primary_key=True)
    item: Mapped[str] = mapped_column(_text(MAX_ID + 8), primary_key=True)


class Effect(Base):
    """A step that was executed: one row an execution, written in the step's own transaction."""

    __tablename__ = "effects"
    __table_args__ = (
        Index("ix_effects_by_item", "run_id", "step", "item"),
        ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
    )

    effect_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(_text(MAX_ID))
    step: Mapped[str] = mapped_column(_text(MAX_ID))
    item: Mapped[str] = mapped_column(_text(MAX_ID + 8))
    attempt: Mapped[int]
    worker: Mapped[str] = mapped_column(String(120))
    started_at: Mapped[float]
    finished_at: Mapped[float]
