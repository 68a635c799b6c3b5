"""Tries to sign in that were not right, by where they came from and by whose name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from monitor.store.schema_desk import SignInFailure


def of_origin(session: Session, origin: str, since: datetime) -> list[datetime]:
    """When, oldest first."""
    query = select(SignInFailure.at).where(SignInFailure.address == origin, SignInFailure.at > since)
    return list(session.scalars(query.order_by(SignInFailure.at)))


def of_name(session: Session, name: str, since: datetime, but: str) -> list[datetime]:
    """When, oldest first, leaving out origins that begin with ``but``."""
    query = select(SignInFailure.at).where(SignInFailure.name == name, SignInFailure.at > since)
    query = query.where(SignInFailure.address.not_like(f"{but}%"))
    return list(session.scalars(query.order_by(SignInFailure.at)))


def of_name_from(session: Session, name: str, origin: str, since: datetime) -> list[datetime]:
    """When, oldest first."""
    query = select(SignInFailure.at).where(SignInFailure.name == name, SignInFailure.address == origin)
    return list(session.scalars(query.where(SignInFailure.at > since).order_by(SignInFailure.at)))


def forget(session: Session, name: str, origin: str) -> None:
    session.execute(delete(SignInFailure).where(SignInFailure.name == name, SignInFailure.address == origin))


def prune(session: Session, before: datetime) -> int:
    """Delete what is older than ``before``; how many went."""
    old = delete(SignInFailure).where(SignInFailure.at < before)
    return len(session.execute(old.returning(SignInFailure.id)).all())
