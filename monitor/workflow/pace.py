"""When each subscriber is told: at once, at their digest's next hour, or once their pause is over.

The next hour comes from a cron line, the board's with the subscriber's own hour, weekday and zone in it: an hour that
the clock skips in spring or shows twice in autumn gives one digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.config.cron import Cron
from monitor.config.reading import Schedule
from monitor.model.messaging import AnnouncementKind, Cadence, Choice
from monitor.store import readers
from monitor.store.schema import Delivery, Subscription

#: How long a decision can be taken back. What the desk publishes is held back for as long.
GRACE = timedelta(seconds=60)

_EVERY_DAY = tuple(range(1, 32))
_EVERY_MONTH = tuple(range(1, 13))

#: Longer than the time between two digests of any board that sends one a week at least.
_LONG_AGO = timedelta(days=8)


class Chosen(Protocol):
    """When an address wants to be told: a Choice, a Subscription, or columns of one."""

    @property
    def cadence(self) -> str: ...
    @property
    def hour(self) -> int | None: ...
    @property
    def weekday(self) -> int | None: ...
    @property
    def zone(self) -> str | None: ...


class Habit(NamedTuple):
    """The part of a choice that says when. Thousands of subscribers share a few."""

    cadence: Cadence
    hour: int | None
    weekday: int | None
    zone: str | None
    paused_until: date | None


def habit_of(one: Chosen) -> Habit:
    """``one`` may have a ``paused_until``; a Choice has none."""
    if isinstance(one, Habit):
        return one
    paused_until = None if isinstance(one, Choice) else getattr(one, "paused_until", None)
    return Habit(Cadence(one.cadence), one.hour, one.weekday, one.zone, paused_until)


def due_at(config: Config, one: Chosen, now: datetime) -> datetime:
    """When something that became known ``now`` reaches a subscriber who chose this."""
    habit = habit_of(one)
    return resumes_at(config, habit, now) or _next(config.schedule, habit, now)


def at_once(config: Config, one: Chosen, now: datetime) -> datetime:
    """When something that cannot wait for a digest reaches them: now, or once their pause is over."""
    return resumes_at(config, habit_of(one), now) or now


def resumes_at(config: Config, one: Chosen, now: datetime) -> datetime | None:
    """When a paused subscriber is told everything that waited; None if they are not paused ``now``.

    That is the hour of a digest on the day they named, whatever their cadence.
    """
    habit = habit_of(one)
    if habit.paused_until is None:
        return None
    resumes = _day_begins(config.schedule, habit)
    return resumes if now < resumes else None


def paused(config: Config, one: Chosen, now: datetime) -> bool:
    """Whether nothing is to be sent to them now."""
    return resumes_at(config, one, now) is not None


def next_digest(config: Config, one: Chosen, now: datetime) -> datetime:
    """The next hour at which they could be sent a digest, as if daily: where what is too much for a day goes."""
    habit = habit_of(one)
    return resumes_at(config, habit, now) or _next(config.schedule, habit._replace(cadence=Cadence.DAILY), now)


def last_digest(config: Config, one: Chosen, now: datetime) -> datetime:
    """The last such hour up to ``now``: since then their day's messages are counted."""
    return _last(config.schedule, habit_of(one)._replace(cadence=Cadence.DAILY), now)


def last_weekly(config: Config, one: Chosen, now: datetime) -> datetime:
    """The last hour up to ``now`` at which a weekly digest of theirs would have left."""
    return _last(config.schedule, habit_of(one)._replace(cadence=Cadence.WEEKLY), now)


def reschedule(session: Session, config: Config, subscription: Subscription, now: datetime) -> None:
    """Everything that waits untried for this subscriber becomes due as their choice says from ``now`` on.

    Call it in the transaction that changes cadence, hour, weekday, zone or pause. What a maintainer may still take
    back does not leave earlier than it would have. What was tried already is tried again now, unless they pause.
    """
    session.flush()
    for delivery in readers.untried_of(session, subscription.id):
        moment = max(now, delivery.created_at + GRACE) if delivery.transition_id is not None else now
        delivery.due_at = due_of(config, delivery, subscription, moment)
    if not paused(config, subscription, now):
        # What was tried before a pause was put off to its end, and everything newer waits behind it.
        for delivery in readers.tried_of(session, subscription.id):
            delivery.due_at = min(delivery.due_at, now)


def reschedule_all(session: Session, config: Config, rows: Sequence[Subscription], now: datetime) -> None:
    """The same for many, most of whom have nothing that waits."""
    waiting = readers.with_untold(session, [row.id for row in rows])
    for row in rows:
        if row.id in waiting:
            reschedule(session, config, row, now)


def due_of(config: Config, delivery: Delivery, one: Chosen, now: datetime) -> datetime:
    """When this delivery, had it become known ``now``, reaches the subscriber it is for."""
    urgent = delivery.notice is not None and delivery.notice.kind == AnnouncementKind.HEARING
    return (at_once if urgent else due_at)(config, one, now)


def _next(schedule: Schedule, habit: Habit, now: datetime) -> datetime:
    if habit.cadence is Cadence.IMMEDIATE:
        return now
    return _line(schedule, habit).next_after(now, _zone(schedule, habit))


def _last(schedule: Schedule, habit: Habit, now: datetime) -> datetime:
    moment = now - _LONG_AGO
    while (following := _next(schedule, habit, moment)) <= now:
        moment = following
    return moment


@lru_cache(maxsize=256)
def _line(schedule: Schedule, habit: Habit) -> Cron:
    """The board's line with what the subscriber chose in it."""
    weekly = habit.cadence is Cadence.WEEKLY
    line = schedule.weekly_digest if weekly else schedule.daily_digest
    if habit.hour is not None:
        line = replace(line, hours=(habit.hour,), minutes=(0,))
    if weekly and habit.weekday is not None:
        # Cron counts from Sunday.
        line = replace(line, weekdays=((habit.weekday + 1) % 7,), days=_EVERY_DAY, months=_EVERY_MONTH)
    return line


def _zone(schedule: Schedule, habit: Habit) -> ZoneInfo:
    return ZoneInfo(habit.zone) if habit.zone else schedule.zone


def _day_begins(schedule: Schedule, habit: Habit) -> datetime:
    assert habit.paused_until is not None
    zone = _zone(schedule, habit)
    midnight = datetime.combine(habit.paused_until, time(), zone)
    return _next(schedule, habit._replace(cadence=Cadence.DAILY), midnight - timedelta(seconds=1))
