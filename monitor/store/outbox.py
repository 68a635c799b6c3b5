"""Notices, subscriptions and deliveries: what is to be told, to whom, and whether it was."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    SQLColumnExpression,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased, joinedload

from monitor.model.messaging import ChannelKind, DeliveryState
from monitor.store.audience import Follower
from monitor.store.database import chunks
from monitor.store.schema import Delivery, Notice

#: Long enough for the slowest message, short enough that a dead worker delays nobody much.
LEASE = timedelta(minutes=2)

_DELIVERIES: Table = Delivery.__table__  # type: ignore[assignment]  # declared as a wider type


def new_id() -> str:
    """A delivery's id: random, since it becomes the public Message-ID."""
    return uuid.uuid4().hex


#: How a delivery names a subscriber; their address stands with the subscription alone.
READER = "subscription:"


def recipient_of(subscription_id: int) -> str:
    return f"{READER}{subscription_id}"


def to_reader(
    one: Follower, now: datetime, due_at: datetime, *, transition_id: int | None = None, notice_id: int | None = None
) -> dict[str, Any]:
    """A delivery that tells a subscriber of one of the two."""
    return {
        "id": new_id(),
        "transition_id": transition_id,
        "notice_id": notice_id,
        "subscription_id": one.id,
        "recipient": recipient_of(one.id),
        "channel": one.channel,
        "due_at": due_at,
        "created_at": now,
    }


def queue(session: Session, rows: Iterable[dict[str, Any]]) -> int:
    """Write deliveries; the caller's transaction makes them real together with what they tell: all of them or none."""
    count = 0
    for chunk in chunks(rows):
        session.connection().execute(insert(_DELIVERIES), chunk)
        count += len(chunk)
    return count


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

    What follows a message that is being retried for the same subscriber waits behind it, and behind one for our own
    people as long as the provider asked us to wait. What is for the ``unreachable`` recipients stays where it is and
    is in nobody's way.
    """
    earlier = aliased(Delivery)
    behind_a_retry = exists().where(
        earlier.subscription_id == Delivery.subscription_id,
        earlier.state.in_(_OPEN),
        earlier.attempts > 0,
        or_(Delivery.attempts == 0, earlier.created_at < Delivery.created_at),
    )
    rows = (
        select(Delivery)
        .where(Delivery.channel == channel, Delivery.due_at <= now, _free(now), ~behind_a_retry)
        .where(Delivery.recipient.not_in(unreachable))
        .options(joinedload(Delivery.subscription))
        .order_by(Delivery.due_at, Delivery.transition_id, Delivery.notice_id, Delivery.id)
        .limit(limit)
    )
    if channel == ChannelKind.SLACK:  # only there does anybody answer so, and mail is claimed by the thousand
        rows = rows.where(~_asked_to_wait(now))
    return list(session.scalars(rows))


def _asked_to_wait(now: datetime) -> ColumnElement[bool]:
    """Whether one of our own people's addresses had too many messages (429) and its pause is not over.

    Any other trouble may be of one message alone: it must not keep an alarm back.
    """
    asked = aliased(Delivery)
    paused = exists().where(
        asked.state == DeliveryState.PENDING,
        asked.due_at > now,
        asked.code == HTTPStatus.TOO_MANY_REQUESTS,
        asked.recipient == Delivery.recipient,
    )
    return and_(Delivery.subscription_id.is_(None), paused)


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


def together(session: Session, leads: Sequence[Delivery], now: datetime) -> list[list[Delivery]]:
    """What leaves in one message with each of ``leads``, in their order.

    Everything due for one subscriber leaves together; a correction alone, and what was put together before as it was.
    """
    found: dict[str, list[Delivery]] = {_message_of(lead): [] for lead in leads}
    keys = [lead.message_key for lead in leads if lead.message_key is not None]
    readers = {lead.subscription_id for lead in leads if lead.message_key is None and lead.subscription_id is not None}
    fresh = and_(Delivery.state == DeliveryState.PENDING, Delivery.message_key.is_(None), Delivery.due_at <= now)
    rows = select(Delivery).where(
        or_(
            and_(Delivery.message_key.in_(keys), Delivery.state.in_(_OPEN)),
            and_(Delivery.subscription_id.in_(readers), fresh),
        ),
        Delivery.id.not_in([lead.id for lead in leads]),  # most have nothing else due: not read twice
    )
    whole = {one.id: one for one in [*leads, *session.scalars(rows.options(joinedload(Delivery.subscription)))]}
    for one in sorted(whole.values(), key=_order):
        found.setdefault(_message_of(one), []).append(one)
    return [group for group in found.values() if group]


def _message_of(one: Delivery) -> str:
    """What is equal for all deliveries of one message."""
    is_correction = one.transition is not None and one.transition.corrects_id is not None
    if one.message_key is not None or one.subscription_id is None or is_correction:
        return one.message_key or one.id
    return recipient_of(one.subscription_id)


def _order(one: Delivery) -> tuple[bool, int, int, str]:
    """What maintainers decided before what the record says, each in the order it became known."""
    return one.transition_id is None, one.transition_id or 0, one.notice_id or 0, one.id


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


def forget_untold(session: Session, transition_id: int) -> bool:
    """Take a transition's deliveries back, all of them or, once anybody has claimed one, none. Says which."""
    if has_begun(session, transition_id):
        return False
    of = delete(Delivery).where(Delivery.transition_id == transition_id)
    session.execute(of.execution_options(synchronize_session=False))
    return True


def has_begun(session: Session, transition_id: int) -> bool:
    """Whether anybody has claimed one of a transition's deliveries and not given it back untried."""
    begun = or_(Delivery.attempts > 0, Delivery.state.not_in((DeliveryState.PENDING, DeliveryState.CANCELLED)))
    return bool(session.scalar(select(exists().where(Delivery.transition_id == transition_id, begun))))


def tally(session: Session, transition_id: int) -> dict[str, int]:
    """How many of a transition's deliveries are in each state."""
    rows = select(Delivery.state, func.count()).where(Delivery.transition_id == transition_id)
    return dict(session.execute(rows.group_by(Delivery.state)).all())


def unheard(session: Session, transition_id: int) -> set[int]:
    """Subscriptions for which a transition waits and nobody has tried to tell them."""
    rows = select(Delivery.subscription_id).where(
        Delivery.transition_id == transition_id,
        Delivery.state == DeliveryState.PENDING,
        Delivery.attempts == 0,
    )
    return {one for one in session.scalars(rows) if one is not None}


def sent_to(session: Session, transition_id: int, subscription_id: int) -> Delivery | None:
    """The delivery that told this subscriber of this transition."""
    rows = select(Delivery).where(
        Delivery.transition_id == transition_id,
        Delivery.subscription_id == subscription_id,
        Delivery.state == DeliveryState.SENT,
    )
    return session.scalars(rows).first()


def cancel(session: Session, ids: Collection[str], why: str) -> None:
    _cancel(session, Delivery.id.in_(ids), why)


def cancel_waiting(
    session: Session, subscription_id: int, why: str, states: Collection[str] = (DeliveryState.PENDING,)
) -> None:
    """What is in one of ``states`` for this subscriber is not sent."""
    _cancel(session, and_(Delivery.subscription_id == subscription_id, Delivery.state.in_(states)), why)


def cancel_of(session: Session, transition_id: int, why: str) -> None:
    """What of a transition waits: for its time, to be tried again, or, in a copy, for a person."""
    waits = Delivery.state.in_((DeliveryState.PENDING, DeliveryState.HELD))
    _cancel(session, and_(Delivery.transition_id == transition_id, waits), why)


def _cancel(session: Session, which: ColumnElement[bool], why: str) -> None:
    values = {"state": DeliveryState.CANCELLED, "error": why, "claimed_by": None, "claimed_until": None}
    # To find the session's own objects of a condition takes longer than the statement; nobody looks at them again.
    session.execute(update(Delivery).where(which).values(values).execution_options(synchronize_session=False))
