"""Who may sign in at the desk, and which browsers are signed in."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from monitor.store.schema_desk import Maintainer, SignIn

#: A browser in which nothing was done for so long is signed out.
IDLE = timedelta(hours=12)


def listing(session: Session) -> list[Maintainer]:
    """Everybody, by name."""
    return list(session.scalars(select(Maintainer).order_by(Maintainer.name)))


def find(session: Session, name: str) -> Maintainer | None:
    """By name, whatever its capitals: two people whose names differ in those alone could not be told apart."""
    wanted = name.casefold()
    return next((one for one in listing(session) if one.name.casefold() == wanted), None)


def open_sign_in(session: Session, sign_in_id: str, now: datetime) -> SignIn | None:
    """The sign-in, with its maintainer, as long as it holds."""
    query = select(SignIn).options(joinedload(SignIn.maintainer)).where(SignIn.id == sign_in_id)
    found = session.scalars(query.where(SignIn.expires_at > now, SignIn.seen_at > now - IDLE)).first()
    return found if found is not None and found.maintainer.disabled_at is None else None


def forget_sign_in(session: Session, sign_in_id: str) -> None:
    session.execute(delete(SignIn).where(SignIn.id == sign_in_id))


def forget_sign_ins(session: Session, maintainer: Maintainer) -> None:
    """Sign out every browser of theirs."""
    session.execute(delete(SignIn).where(SignIn.maintainer_id == maintainer.id))


def prune(session: Session, now: datetime) -> int:
    """Delete sign-ins that are over; how many went."""
    over = delete(SignIn).where((SignIn.expires_at <= now) | (SignIn.seen_at <= now - IDLE))
    return len(session.execute(over.returning(SignIn.id)).all())
