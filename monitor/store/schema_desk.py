"""The tables of the desk: who signs in, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.store.schema import Base


class Key(Base):
    """A random key the service made for itself."""

    __tablename__ = "keys"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class Maintainer(Base):
    """Somebody who can sign in at the desk. Decisions are signed with ``name``."""

    __tablename__ = "maintainers"
    __table_args__ = (CheckConstraint("role IN ('maintainer','viewer')", name="role"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[str] = mapped_column(String(12))
    password_hash: Mapped[str]
    created_at: Mapped[datetime]
    password_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SignIn(Base):
    """A browser that is signed in. The cookie's token is kept only as its hash, in ``id``."""

    __tablename__ = "sign_ins"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    maintainer_id: Mapped[int] = mapped_column(ForeignKey("maintainers.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    maintainer: Mapped[Maintainer] = relationship()


class SignInFailure(Base):
    """A password that was wrong: counted by where it came from, so that nobody can lock another out."""

    __tablename__ = "sign_in_failures"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(index=True)


class Deed(Base):
    """One line of the audit log: who did what, to what. ``digest`` covers the line and the digest before it."""

    __tablename__ = "deeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str] = mapped_column(String(40))
    about: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
