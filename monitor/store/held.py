"""What a restored database had queued for subscribers is held, until a person releases or forgets it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, func, or_, select, update
from sqlalchemy.orm import Session

from monitor.model.messaging import DeliveryState
from monitor.store import outbox, sign_ups
from monitor.store.schema import Delivery

_HELD = Delivery.state == DeliveryState.HELD


def hold(session: Session) -> int:
    """Keep back everything that is on its way to subscribers, claimed or not. Returns how many deliveries."""
    to_readers = or_(*(Delivery.recipient.startswith(one) for one in (outbox.READER, f"{sign_ups.RECIPIENT}:")))
    return _move(
        session,
        and_(Delivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING)), to_readers),
        DeliveryState.HELD,
    )


def release(session: Session) -> int:
    """What is held is due as it was."""
    return _move(session, _HELD, DeliveryState.PENDING)


def forget(session: Session, why: str) -> int:
    return _move(session, _HELD, DeliveryState.CANCELLED, why)


def count(session: Session) -> int:
    return session.scalar(select(func.count()).where(_HELD)) or 0


def _move(session: Session, which: ColumnElement[bool], state: DeliveryState, why: str = "") -> int:
    values = {"state": state, "claimed_by": None, "claimed_until": None, "error": why}
    moved = update(Delivery).where(which).values(values).execution_options(synchronize_session=False)
    done: CursorResult[Any] = session.execute(moved)  # type: ignore[assignment]
    return done.rowcount
