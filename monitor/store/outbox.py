"""Notices, subscriptions and deliveries: what is to be told, to whom, and whether it was."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    SQLColumnExpression,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased, joinedload

from monitor.model.messaging import Cadence, DeliveryState
from monitor.store.schema import Delivery, Issue, Notice, Subscription

#: Long enough for the slowest message, short enough that a dead worker delays nobody much.
LEASE = timedelta(minutes=2)

_DELIVERIES: Table = Delivery.__table__  # type: ignore[assignment]  # declared as a wider type


def new_id() -> str:
    """A delivery's id: random, since it becomes the public Message-ID."""
    return uuid.uuid4().hex


def audience(session: Session, issue: Issue) -> list[Subscription]:
    """Live subscriptions that asked for this issue, its topic, or everything."""
    rows = session.scalars(select(Subscription).where(Subscription.left_at.is_(None), Subscription.broken_at.is_(None)))
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
    session: Session,
    kind: str,
    items: list[Any],
    recipients: Collection[tuple[str, str]],
    now: datetime,
    *,
    due_at: datetime | None = None,
) -> Notice:
    """A notice and one delivery for each (recipient name, channel), due at once unless said otherwise."""
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
                "due_at": due_at or now,
                "created_at": now,
            }
            for name, channel in recipients
        ),
    )
    return notice


def gathering(session: Session, kind: str, recipient: str, now: datetime) -> Notice | None:
    """A notice to ``recipient`` that leaves only later and may still be added to."""
    rows = (
        select(Notice)
        .join(Delivery, Delivery.notice_id == Notice.id)
        .where(Notice.kind == kind, Delivery.recipient == recipient, Delivery.attempts == 0, Delivery.due_at > now)
    )
    return session.scalars(rows.order_by(Notice.id.desc())).first()


def last_over(session: Session, recipient: str, but: Collection[str]) -> str | None:
    """How the newest of ``recipient``'s notices that left or was given up ended, ``but`` for those named."""
    over = Delivery.state.in_((DeliveryState.SENT, DeliveryState.DEAD))
    rows = select(Delivery.state).where(Delivery.recipient == recipient, over, Delivery.id.not_in(but))
    return session.scalar(rows.order_by(Delivery.notice_id.desc()).limit(1))


#: Not yet sent, nor given up.
_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING)


def due(session: Session, channel: str, now: datetime, limit: int, unreachable: Collection[str] = ()) -> list[Delivery]:
    """Deliveries of ``channel`` whose time has come and that nobody is sending, oldest first.

    What follows a message that is being retried for the same subscriber waits behind it. What is for the
    ``unreachable`` recipients stays where it is and is in nobody's way.
    """
    earlier = aliased(Delivery)
    behind_a_retry = exists().where(
        earlier.subscription_id == Delivery.subscription_id,
        earlier.transition_id < Delivery.transition_id,
        earlier.state.in_(_OPEN),
        earlier.attempts > 0,
    )
    rows = (
        select(Delivery)
        .where(Delivery.channel == channel, Delivery.due_at <= now, _free(now), ~behind_a_retry)
        .where(Delivery.recipient.not_in(unreachable))
        .options(joinedload(Delivery.subscription))
        .order_by(Delivery.due_at, Delivery.transition_id, Delivery.notice_id, Delivery.id)
        .limit(limit)
    )
    return list(session.scalars(rows))


def waiting(session: Session, recipients: Collection[str], now: datetime) -> dict[str, int]:
    """How many messages are due to each of ``recipients``, those with none left out."""
    if not recipients:
        return {}
    rows = (
        select(Delivery.recipient, func.count())
        .where(Delivery.recipient.in_(recipients), Delivery.due_at <= now, _free(now))
        .group_by(Delivery.recipient)
        .order_by(Delivery.recipient)
    )
    return dict(session.execute(rows).all())


def _free(now: datetime) -> ColumnElement[bool]:
    unclaimed = or_(Delivery.claimed_until.is_(None), Delivery.claimed_until < now)
    return and_(Delivery.state.in_(_OPEN), unclaimed)


def together(session: Session, lead: Delivery, now: datetime) -> list[Delivery]:
    """Everything that leaves in one message with ``lead``: its digest, or itself."""
    if lead.message_key is not None:
        same = and_(Delivery.message_key == lead.message_key, Delivery.state.in_(_OPEN))
    elif lead.subscription is None or lead.subscription.cadence == Cadence.IMMEDIATE:
        return [lead]
    else:
        same = and_(
            Delivery.subscription_id == lead.subscription_id,
            Delivery.state == DeliveryState.PENDING,
            Delivery.message_key.is_(None),
            Delivery.due_at <= now,
        )
    return list(session.scalars(select(Delivery).where(same).order_by(Delivery.transition_id, Delivery.id)))


def claim(session: Session, keys: Mapping[str, Collection[str]], owner: str, now: datetime) -> set[str]:
    """Take messages: ``keys`` holds each one's key and its deliveries' ids. Returns the keys of those taken whole."""
    single = [key for key, ids in keys.items() if list(ids) == [key]]
    won = _claim(session, Delivery.id.in_(single), Delivery.id, owner, now) if single else set()
    taken = {key for key in single if key in won}
    for key, ids in keys.items():
        if list(ids) != [key] and _claim(session, Delivery.id.in_(ids), literal(key), owner, now) == set(ids):
            taken.add(key)
    return taken


def _claim(
    session: Session, which: ColumnElement[bool], key: SQLColumnExpression[str], owner: str, now: datetime
) -> set[str]:
    won = session.scalars(
        update(Delivery)
        .where(which, _free(now))
        .values(
            state=DeliveryState.SENDING,
            message_key=key,
            claimed_by=owner,
            claimed_until=now + LEASE,
            attempts=Delivery.attempts + 1,
        )
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return set(won)


#: Made once: a pass runs it for every message. The table and not the class, whose mapper would do as much again.
_MARK = (
    update(_DELIVERIES)
    .where(
        _DELIVERIES.c.message_key == bindparam("key"),
        _DELIVERIES.c.claimed_by == bindparam("owner"),
        _DELIVERIES.c.state == DeliveryState.SENDING,
    )
    .values(
        {name: bindparam(f"new_{name}") for name in ("state", "code", "error", "sent_at", "due_at", "attempts")}
        | {"claimed_by": None, "claimed_until": None}
    )
)


def mark(
    session: Session,
    key: str,
    owner: str,
    *,
    state: DeliveryState,
    code: int | None,
    error: str,
    sent_at: datetime | None,
    due_at: datetime,
    attempts: int,
) -> bool:
    """Record a message's outcome on all its deliveries. False if ``owner`` does not hold them any more."""
    values = {"state": state, "code": code, "error": error, "sent_at": sent_at, "due_at": due_at, "attempts": attempts}
    named = {f"new_{name}": value for name, value in values.items()}
    done: CursorResult[Any] = session.connection().execute(_MARK, {"key": key, "owner": owner, **named})
    return done.rowcount > 0


def mark_taken(session: Session, keys: Collection[str], now: datetime) -> int:
    """Messages that were taken before a crash, whoever holds them by now. Returns how many deliveries that are."""
    open_ = and_(_DELIVERIES.c.message_key.in_(keys), _DELIVERIES.c.state.in_(_OPEN))
    known = {"state": DeliveryState.SENT, "sent_at": now, "error": "", "claimed_by": None, "claimed_until": None}
    done: CursorResult[Any] = session.execute(update(_DELIVERIES).where(open_).values(known))  # type: ignore[assignment]
    return done.rowcount


def give_back(session: Session, keys: Collection[str], owner: str) -> None:
    """Messages that were claimed and not tried: they are due as before, and a digest may still grow."""
    untried = _DELIVERIES.c.attempts == 1
    session.execute(
        update(_DELIVERIES)
        .where(
            _DELIVERIES.c.message_key.in_(keys),
            _DELIVERIES.c.claimed_by == owner,
            _DELIVERIES.c.state == DeliveryState.SENDING,
        )
        .values(
            state=DeliveryState.PENDING,
            message_key=case((untried, None), else_=_DELIVERIES.c.message_key),
            attempts=_DELIVERIES.c.attempts - 1,
            claimed_by=None,
            claimed_until=None,
        )
    )


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
    waiting = select(Delivery.id).where(Delivery.subscription_id.in_(broken), Delivery.state == DeliveryState.PENDING)
    cancel(session, list(session.scalars(waiting)), "the address refuses mail for good")
