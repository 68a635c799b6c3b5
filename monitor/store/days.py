"""What happened in a span of time: changes, proposals, decisions, messages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from monitor.model.messaging import DeliveryState
from monitor.store.schema import Bill, ChangeRow, Delivery, Proposal, Source

Seen = tuple[ChangeRow, Bill | None, Source | None]


def changes(session: Session, start: datetime, end: datetime, limit: int) -> list[Seen]:
    """First seen in the span, by bill and in the order seen."""
    rows = (
        select(ChangeRow, Bill, Source)
        .outerjoin(Bill, ChangeRow.bill_id == Bill.id)
        .outerjoin(Source, ChangeRow.source_id == Source.id)
        .where(ChangeRow.first_seen_at >= start, ChangeRow.first_seen_at < end)
        .order_by(Bill.session.desc().nulls_last(), Bill.identifier, ChangeRow.source_id, ChangeRow.id)
        .limit(limit)
    )
    return [(change, bill, source) for change, bill, source in session.execute(rows)]


def proposals(session: Session, start: datetime, end: datetime, limit: int) -> list[Proposal]:
    """Made or decided in the span, oldest first."""
    made = and_(Proposal.created_at >= start, Proposal.created_at < end)
    decided = and_(Proposal.decided_at >= start, Proposal.decided_at < end)
    rows = select(Proposal).where(or_(made, decided)).options(joinedload(Proposal.issue))
    return list(session.scalars(rows.order_by(Proposal.id).limit(limit)))


def sent(session: Session, start: datetime, end: datetime) -> dict[str, int]:
    """Messages that left in the span, by channel."""
    messages = func.count(func.distinct(func.coalesce(Delivery.message_key, Delivery.id)))
    rows = select(Delivery.channel, messages).where(Delivery.sent_at >= start, Delivery.sent_at < end)
    return {row[0]: row[1] for row in session.execute(rows.group_by(Delivery.channel))}


def unsent(session: Session, start: datetime, end: datetime, limit: int) -> list[Delivery]:
    """Messages made in the span that were given up, or that are being tried again."""
    tried = and_(Delivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)), Delivery.attempts > 0)
    failed = or_(Delivery.state == DeliveryState.DEAD, and_(tried, Delivery.error != ""))
    rows = select(Delivery).where(Delivery.created_at >= start, Delivery.created_at < end, failed)
    return list(session.scalars(rows.order_by(Delivery.created_at, Delivery.id).limit(limit)))
