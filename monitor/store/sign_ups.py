"""What was typed into the sign-up form and is not confirmed yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, cast, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session

from monitor.store.schema import Delivery
from monitor.store.schema_subscribers import SignUp

#: How a delivery names the address of a sign-up: this, a colon, its id.
RECIPIENT = "sign_up"


def of_address(session: Session, address: str, since: datetime) -> int:
    """How often an address was typed in, however it was spelled. What stands behind a + in it leads to the same
    mailbox: else whoever counts up there fills that as they please."""
    local, _, domain = address.lower().rpartition("@")
    mailbox, _, _ = local.partition("+")
    stored = func.lower(SignUp.address)
    tagged = and_(stored.startswith(f"{mailbox}+", autoescape=True), stored.endswith(f"@{domain}", autoescape=True))
    asked = or_(stored == f"{mailbox}@{domain}", tagged)
    return session.scalar(select(func.count()).where(asked, SignUp.created_at > since)) or 0


def of_ip(session: Session, ip: str, since: datetime) -> list[datetime]:
    """When somebody signed up from there, oldest first."""
    rows = select(SignUp.created_at).where(SignUp.ip == ip, SignUp.created_at > since)
    return list(session.scalars(rows.order_by(SignUp.created_at)))


def prune(session: Session, before: datetime) -> int:
    """Forget what was typed up to ``before``; how many went."""
    return _forget(session, SignUp.created_at <= before)


def forget(session: Session, address: str) -> None:
    """Forget that ``address`` was typed, however it was spelled."""
    _forget(session, func.lower(SignUp.address) == func.lower(address))


def _forget(session: Session, which: ColumnElement[bool]) -> int:
    """The rows go, and what a mail server said of their addresses."""
    recipients = select(literal(f"{RECIPIENT}:") + cast(SignUp.id, String)).where(which)
    said = update(Delivery).where(Delivery.recipient.in_(recipients)).values(error="")
    session.execute(said.execution_options(synchronize_session=False))
    return len(session.execute(delete(SignUp).where(which).returning(SignUp.id)).all())


def waiting(session: Session) -> int:
    """How many are not confirmed yet."""
    return session.scalar(select(func.count()).where(SignUp.used_at.is_(None))) or 0
