"""Who wants to hear of something: read as plain columns, a thousand at a time, for there may be many."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, cast, or_, select, update
from sqlalchemy.orm import Session

from monitor.model.messaging import Interest
from monitor.store.schema import Delivery, Issue, Subscription

_CHUNK = 1_000


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

    def follows(self, issue_id: str, topic_id: str) -> bool:
        """Whether they asked for the issue, its topic, or everything."""
        if not self.topics and not self.issues:
            return True
        return issue_id in self.issues or topic_id in self.topics


_COLUMNS = tuple(getattr(Subscription, name) for name in Follower._fields)
_LIVE = (Subscription.left_at.is_(None), Subscription.broken_at.is_(None))


def of_issue(session: Session, issue: Issue) -> Iterator[Follower]:
    """Those who want to know what is published about an issue."""
    wanting_status = wanting(session, [Interest.STATUS])
    return (one for one in wanting_status if one.follows(issue.id, issue.topic_id))


def wanting(session: Session, interests: Collection[Interest]) -> Iterator[Follower]:
    """Live subscriptions with any of these interests, by id."""
    return _read(session, select(*_COLUMNS).where(*_LIVE, _any_of(interests)))


def told_of(session: Session, transition_id: int) -> Iterator[Follower]:
    """Live subscriptions that a transition was sent to."""
    rows = select(*_COLUMNS).join(Delivery, Delivery.subscription_id == Subscription.id)
    return _read(session, rows.where(*_LIVE, Delivery.transition_id == transition_id, Delivery.state == "sent"))


def _read(session: Session, rows: Select[Any]) -> Iterator[Follower]:
    """By keys and not by an open cursor: what is found may be written of in between."""
    last = 0
    while chunk := session.execute(rows.where(Subscription.id > last).order_by(Subscription.id).limit(_CHUNK)).all():
        yield from (Follower(*row) for row in chunk)
        last = chunk[-1].id


def _any_of(interests: Collection[Interest]) -> ColumnElement[bool]:
    """The list is JSON of small words, none of which is part of another."""
    written = cast(Subscription.interests, String)
    return or_(*(written.contains(f'"{one.value}"') for one in interests))


def note_heartbeat(session: Session, ids: Collection[int], moment: datetime, now: datetime) -> set[int]:
    """Of ``ids`` those nobody has told since ``moment`` that nothing changed: whoever asks first, and once, is told."""
    untold = or_(Subscription.heartbeat_at.is_(None), Subscription.heartbeat_at < moment)
    taken = update(Subscription).where(Subscription.id.in_(ids), untold).values(heartbeat_at=now)
    return set(session.scalars(taken.returning(Subscription.id).execution_options(synchronize_session=False)))
