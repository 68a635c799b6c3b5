"""Who is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.model.messaging import Cadence, ChannelKind
from monitor.store import outbox
from monitor.store.schema import Delivery, Subscription


def find(session: Session, channel: ChannelKind, address: str) -> Subscription | None:
    rows = select(Subscription).where(Subscription.channel == channel, Subscription.address == address)
    return session.scalars(rows).first()


def put(
    session: Session,
    channel: ChannelKind,
    address: str,
    topics: Sequence[str],
    issues: Sequence[str],
    cadence: Cadence,
    now: datetime,
) -> tuple[Subscription, bool]:
    """Add a subscription, or change the one this address has. Returns it and whether it is new."""
    row = find(session, channel, address)
    is_new = row is None
    if row is None:
        row = Subscription(channel=channel, address=address, created_at=now, cadence=cadence)
        session.add(row)
    row.topics, row.issues, row.cadence = list(topics), list(issues), cadence
    row.left_at, row.broken_at, row.broken_reason = None, None, ""
    session.flush()
    return row, is_new


def leave(session: Session, row: Subscription, now: datetime) -> None:
    """Nothing more is told to this address; what still waited for it is cancelled."""
    row.left_at = row.left_at or now
    waiting = select(Delivery.id).where(Delivery.subscription_id == row.id, Delivery.state == "pending")
    outbox.cancel(session, list(session.scalars(waiting)), "the subscriber has left")


def listing(session: Session, *, everyone: bool = False) -> list[Subscription]:
    """Live subscriptions by id; ``everyone`` adds those that left or cannot be reached."""
    rows = select(Subscription).order_by(Subscription.id)
    if not everyone:
        rows = rows.where(Subscription.left_at.is_(None), Subscription.broken_at.is_(None))
    return list(session.scalars(rows))
