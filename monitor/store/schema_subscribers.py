"""The tables beside subscriptions: who has signed up and not confirmed yet, and who is not written to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from monitor.store.schema import Base


class SignUp(Base):
    """What somebody typed into the sign-up form. It becomes a subscription once the address confirms it, and is
    deleted after a week if it does not. ``choice`` is what was asked for, ``ip`` who asked: both go with the row."""

    __tablename__ = "sign_ups"
    #: A signed link names its row by the id: one that is gone must not confirm another.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy wants a plain dict
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(index=True)
    choice: Mapped[dict[str, Any]]
    ip: Mapped[str] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class Place(Base):
    """Where this database was last sent from, in one row: a copy finds itself elsewhere.

    ``claims`` only grows; a file beside SQLite's has it too, so that an older state put in its place is noticed.
    """

    __tablename__ = "places"
    id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str]
    claims: Mapped[int]


class Suppression(Base):
    """An address that is not written to, whatever an import says: it bounced, complained, left or was deleted.

    ``fingerprint`` is keyed, so that nobody who was deleted stands here; ``shown`` is the masked address. Only its
    own reader, by confirming a sign-up, or a maintainer by name lifts it.
    """

    __tablename__ = "suppressions"
    __table_args__ = (CheckConstraint("why IN ('bounced','complained','left','deleted')", name="why"),)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    shown: Mapped[str]
    why: Mapped[str] = mapped_column(String(12))
    detail: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
