"""Everything that is kept of one subscriber: to take along, and to forget."""

from __future__ import annotations

from sqlalchemy import func, literal, select, update
from sqlalchemy.orm import Session, joinedload

from monitor.model.messaging import DeliveryState
from monitor.store import outbox, sign_ups
from monitor.store.schema import Delivery, Subscription
from monitor.store.schema_subscribers import SignUp


def deliveries(session: Session, row: Subscription) -> list[Delivery]:
    """What was told or waits to be, oldest first."""
    rows = select(Delivery).where(Delivery.subscription_id == row.id).order_by(Delivery.created_at, Delivery.id)
    return list(session.scalars(rows.options(joinedload(Delivery.transition), joinedload(Delivery.notice))))


def typed(session: Session, row: Subscription) -> list[SignUp]:
    """What was typed for this address in the last days, however it was spelled."""
    same = func.lower(SignUp.address) == func.lower(row.address)
    return list(session.scalars(select(SignUp).where(same).order_by(SignUp.id)))


def forget(session: Session, row: Subscription) -> None:
    """The row and what was typed go; what was sent stays counted and names nobody."""
    # What is claimed too: whoever holds it looks at its state once more before its last line.
    waits = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.HELD)
    outbox.cancel_waiting(session, row.id, "the subscriber is deleted", waits)
    nobody = {"subscription_id": None, "recipient": literal("forgotten:") + Delivery.id, "error": ""}
    session.execute(update(Delivery).where(Delivery.subscription_id == row.id).values(nobody))
    sign_ups.forget(session, row.address)
    session.delete(row)
