"""What waits for subscribers, and what they were sent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from monitor.model.messaging import DeliveryState
from monitor.store.database import chunks
from monitor.store.schema import Delivery, Notice


def untried_of(session: Session, subscription_id: int) -> list[Delivery]:
    """What waits for a subscriber and nobody has tried to send yet."""
    rows = select(Delivery).where(
        Delivery.subscription_id == subscription_id,
        Delivery.state == DeliveryState.PENDING,
        Delivery.attempts == 0,
    )
    return list(session.scalars(rows.options(joinedload(Delivery.notice))))


def tried_of(session: Session, subscription_id: int) -> list[Delivery]:
    """What was tried for a subscriber and waits to be tried again."""
    rows = select(Delivery).where(
        Delivery.subscription_id == subscription_id,
        Delivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
        Delivery.attempts > 0,
    )
    return list(session.scalars(rows))


def with_untold(session: Session, subscription_ids: Collection[int]) -> set[int]:
    """Those of these for whom anything waits."""
    found = set[int]()
    for some in chunks(subscription_ids):
        rows = select(Delivery.subscription_id).where(
            Delivery.subscription_id.in_(some),
            Delivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)),
        )
        found |= {one for one in session.scalars(rows.distinct()) if one is not None}
    return found


def postpone(session: Session, ids: Collection[str], until: datetime) -> None:
    """What is not to leave yet waits until then."""
    later = update(Delivery).where(Delivery.id.in_(ids)).values(due_at=until)
    session.execute(later.execution_options(synchronize_session=False))  # who is read again is read from the database


def sent_lately(session: Session, subscription_ids: Collection[int], since: datetime) -> dict[int, list[datetime]]:
    """When each of these was last sent a message, one moment a message."""
    rows = (
        select(Delivery.subscription_id, func.max(Delivery.sent_at))
        .where(Delivery.subscription_id.in_(subscription_ids), Delivery.sent_at > since)
        .group_by(Delivery.subscription_id, Delivery.message_key)
    )
    found: dict[int, list[datetime]] = {}
    for subscription_id, moment in session.execute(rows):
        if subscription_id is not None and moment is not None:
            found.setdefault(subscription_id, []).append(moment)
    return found


def heard(session: Session, subscription_ids: Collection[int], since: datetime, but: str) -> set[int]:
    """Which of these were told anything that became known after ``since``, or are about to be; notices of kind ``but``
    are not counted, nor what never reached them."""
    rows = (
        select(Delivery.subscription_id)
        .outerjoin(Notice, Delivery.notice_id == Notice.id)
        .where(
            Delivery.subscription_id.in_(subscription_ids),
            or_(Delivery.created_at > since, Delivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING))),
            Delivery.state.not_in((DeliveryState.CANCELLED, DeliveryState.DEAD)),
            or_(Notice.kind.is_(None), Notice.kind != but),
        )
    )
    return {one for one in session.scalars(rows.distinct()) if one is not None}
