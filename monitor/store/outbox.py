"""Notices, subscriptions and deliveries: what is to be told, to whom, and whether it was."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session, joinedload

from monitor.model.messaging import DeliveryState
from monitor.store.schema import Delivery, Issue, Notice, Subscription

#: Long enough for the slowest message, short enough that a dead worker delays nobody much.
LEASE = timedelta(minutes=2)


def new_id() -> str:
    """A delivery's id: random, since it becomes the public Message-ID."""
    return uuid.uuid4().hex


def audience(session: Session, issue: Issue) -> list[Subscription]:
    """Live subscriptions that asked for this issue, its topic, or everything."""
    rows = session.scalars(
        select(Subscription).where(Subscription.left_at.is_(None), Subscription.broken_at.is_(None))
    )
    return [one for one in rows if _wants(one, issue)]


def _wants(subscription: Subscription, issue: Issue) -> bool:
    if not subscription.topics and not subscription.issues:
        return True
    return issue.id in subscription.issues or issue.topic_id in subscription.topics


def queue(session: Session, rows: Iterable[dict[str, Any]]) -> int:
    """Write deliveries; the caller's transaction makes them real together with what they tell."""
    found = list(rows)
    if found:
        session.execute(insert(Delivery), found)
    return len(found)


def add_notice(
    session: Session, kind: str, items: list[Any], recipients: Collection[tuple[str, str]], now: datetime
) -> Notice:
    """A notice and one delivery for each (recipient name, channel)."""
    notice = Notice(kind=kind, items=items, created_at=now)
    session.add(notice)
    session.flush()
    queue(
        session,
        (
            {
                "id": new_id(),
                "notice_id": notice.id,
                "recipient": name,
                "channel": channel,
                "due_at": now,
                "created_at": now,
            }
            for name, channel in recipients
        ),
    )
    return notice


def due(session: Session, now: datetime, limit: int) -> list[Delivery]:
    """Deliveries whose time has come and that nobody is sending, oldest first."""
    rows = (
        select(Delivery)
        .where(
            Delivery.state.in_([DeliveryState.PENDING, DeliveryState.SENDING]),
            Delivery.due_at <= now,
            or_(Delivery.claimed_until.is_(None), Delivery.claimed_until < now),
        )
        .options(joinedload(Delivery.subscription))
        .order_by(Delivery.due_at, Delivery.created_at, Delivery.id)
        .limit(limit)
    )
    return list(session.scalars(rows))


def together(session: Session, lead: Delivery, now: datetime) -> list[Delivery]:
    """Everything that leaves in one message with ``lead``: its digest, or itself."""
    if lead.message_key is not None:
        same = select(Delivery).where(Delivery.message_key == lead.message_key)
        return list(session.scalars(same.order_by(Delivery.created_at, Delivery.id)))
    if lead.subscription is None or lead.subscription.cadence == "immediate":
        return [lead]
    rows = select(Delivery).where(
        Delivery.subscription_id == lead.subscription_id,
        Delivery.state == DeliveryState.PENDING,
        Delivery.message_key.is_(None),
        Delivery.due_at <= now,
    )
    return list(session.scalars(rows.order_by(Delivery.created_at, Delivery.id)))


def claim(session: Session, ids: Collection[str], key: str, owner: str, now: datetime) -> bool:
    """Take a whole message or nothing of it."""
    won = session.execute(
        update(Delivery)
        .where(
            Delivery.id.in_(ids),
            Delivery.state.in_([DeliveryState.PENDING, DeliveryState.SENDING]),
            or_(Delivery.claimed_until.is_(None), Delivery.claimed_until < now),
        )
        .values(
            state=DeliveryState.SENDING,
            message_key=key,
            claimed_by=owner,
            claimed_until=now + LEASE,
            attempts=Delivery.attempts + 1,
        )
        .returning(Delivery.id)
    ).all()
    return len(won) == len(ids)


def mark(session: Session, key: str, owner: str, **values: Any) -> int:
    """Record a message's outcome on all its deliveries, if ``owner`` still holds them."""
    won = session.execute(
        update(Delivery)
        .where(Delivery.message_key == key, Delivery.claimed_by == owner, Delivery.state == DeliveryState.SENDING)
        .values(claimed_by=None, claimed_until=None, **values)
        .returning(Delivery.id)
    ).all()
    return len(won)


def cancel(session: Session, ids: Collection[str], why: str) -> None:
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(state=DeliveryState.CANCELLED, error=why, claimed_by=None, claimed_until=None)
    )


def break_subscription(session: Session, ids: Collection[str], why: str, now: datetime) -> None:
    """An address that will never take mail is told nothing more; what still waits for it is cancelled."""
    wanted = select(Delivery.subscription_id).where(Delivery.id.in_(ids), Delivery.subscription_id.is_not(None))
    broken = list(session.scalars(wanted.distinct()))
    if not broken:
        return
    session.execute(
        update(Subscription).where(Subscription.id.in_(broken)).values(broken_at=now, broken_reason=why[:500])
    )
    waiting = select(Delivery.id).where(
        Delivery.subscription_id.in_(broken), Delivery.state == DeliveryState.PENDING
    )
    cancel(session, list(session.scalars(waiting)), "the address refuses mail for good")
