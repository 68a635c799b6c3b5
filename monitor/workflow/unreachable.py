"""An address that will never take mail: told nothing more, and kept from coming back by an import."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.model.messaging import ChannelKind
from monitor.notify.channels import mask_address
from monitor.store import outbox, suppressions
from monitor.store.schema import Delivery, Subscription
from monitor.workflow.links import links


def break_off(session: Session, row: Subscription, why: str, now: datetime) -> None:
    """Cancel what still waits for it."""
    row.broken_at, row.broken_reason = now, why[:500]
    outbox.cancel_waiting(session, row.id, "the address refuses mail for good")
    suppress(session, row, "bounced", why, now)


def break_of(session: Session, delivery_ids: Collection[str], why: str, now: datetime) -> None:
    """The same for whoever was to get these deliveries; our own people are left alone."""
    wanted = select(Delivery.subscription_id).where(Delivery.id.in_(delivery_ids))
    for row in session.scalars(select(Subscription).where(Subscription.id.in_(wanted))):
        break_off(session, row, why, now)


def suppress(session: Session, row: Subscription, why: str, detail: str, now: datetime) -> None:
    """Only an email address: a webhook that is gone may be made anew by who has its channel."""
    if row.channel == ChannelKind.EMAIL:
        shown = mask_address(ChannelKind.EMAIL, row.address)
        suppressions.suppress(session, links(session), row.address, shown, why, detail, now)
