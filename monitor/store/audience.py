"""Who wants to hear of something: read as plain columns, a thousand at a time, for there may be many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, and_, cast, false, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from monitor.model.messaging import Interest
from monitor.store.database import CHUNK
from monitor.store.schema import Delivery, Issue, Subscription


class Follower(NamedTuple):
    """A live subscription, as far as it says what is told when."""

    id: int
    channel: str
    topics: list[str]
    issues: list[str]
    interests: list[str]
    cadence: str
    hour: int | None
    weekday: int | None
    zone: str | None
    paused_until: date | None
    created_at: datetime
    heartbeat_at: datetime | None


_COLUMNS = tuple(getattr(Subscription, name) for name in Follower._fields)
_LIVE = (Subscription.left_at.is_(None), Subscription.broken_at.is_(None))


#: Past it the engine reads everybody: SQLite takes a thousand terms in one condition.
_MOST_ISSUES = 200


def of_issue(session: Session, issue: Issue) -> Iterator[Follower]:
    """Those who want to know what is published about an issue."""
    return wanting(session, [Interest.STATUS], [issue])


def count(session: Session, issue: Issue) -> dict[str, int]:
    """How many of those there are, by channel."""
    told = (*_LIVE, _any_of([Interest.STATUS]), _follows([issue]))
    return dict(session.execute(select(Subscription.channel, func.count()).where(*told).group_by("channel")).all())


def wanting(
    session: Session, interests: Collection[Interest], about: Collection[Issue] | None = None
) -> Iterator[Follower]:
    """Live subscriptions with any of these interests, by id; ``about`` leaves out who follows none of these issues,
    as long as they are not very many."""
    rows = select(*_COLUMNS).where(*_LIVE, _any_of(interests))
    return _read(session, rows if about is None or len(about) > _MOST_ISSUES else rows.where(_follows(about)))


def told_of(session: Session, transition_id: int) -> Iterator[Follower]:
    """Live subscriptions that a transition was sent to."""
    rows = select(*_COLUMNS).join(Delivery, Delivery.subscription_id == Subscription.id)
    return _read(session, rows.where(*_LIVE, Delivery.transition_id == transition_id, Delivery.state == "sent"))


def _read(session: Session, rows: Select[Any]) -> Iterator[Follower]:
    """By keys and not by an open cursor: what is found may be written of in between."""
    last = 0
    while chunk := session.execute(rows.where(Subscription.id > last).order_by(Subscription.id).limit(CHUNK)).all():
        yield from (Follower(*row) for row in chunk)
        last = chunk[-1].id


def _any_of(interests: Collection[Interest]) -> ColumnElement[bool]:
    return _holds_any(Subscription.interests, interests)


def _follows(issues: Collection[Issue]) -> ColumnElement[bool]:
    """As `model.messaging.follows` has it."""
    everything = and_(_text(Subscription.issues) == "[]", _text(Subscription.topics) == "[]")
    topics = dict.fromkeys(one.topic_id for one in issues)
    return or_(
        everything if issues else false(),
        _holds_any(Subscription.issues, [one.id for one in issues]),
        _holds_any(Subscription.topics, topics),
    )


def _holds_any(column: InstrumentedAttribute[list[Any]], words: Iterable[str]) -> ColumnElement[bool]:
    """The list is JSON of small words between quotes, without any that LIKE takes for something else."""
    return or_(false(), *(_text(column).contains(f'"{one}"') for one in words))


def _text(column: InstrumentedAttribute[list[Any]]) -> ColumnElement[str]:
    return cast(column, String)


def note_heartbeat(session: Session, ids: Collection[int], moment: datetime, now: datetime) -> set[int]:
    """Of ``ids`` those nobody has told since ``moment`` that nothing changed: whoever asks first, and once, is told."""
    untold = or_(Subscription.heartbeat_at.is_(None), Subscription.heartbeat_at < moment)
    taken = update(Subscription).where(Subscription.id.in_(ids), untold).values(heartbeat_at=now)
    return set(session.scalars(taken.returning(Subscription.id).execution_options(synchronize_session=False)))
