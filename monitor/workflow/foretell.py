"""How many messages a choice would have meant over the last whole session. Counting only, nothing is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy.orm import Session

from monitor.interpret.actions import hearing_day
from monitor.interpret.sessions import LegislativeSession, regular_session
from monitor.model.legislature import ActionRow
from monitor.model.messaging import Cadence, Choice, Interest, follows
from monitor.store import record
from monitor.workflow.context import EASTERN, Context

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to tell: of which issue and topic, and when it was there to be told."""

    interest: Interest
    issue: str
    topic: str
    at: date | datetime

    @property
    def day(self) -> date:
        return self.at.astimezone(EASTERN).date() if isinstance(self.at, datetime) else self.at


@dataclass(frozen=True, slots=True)
class Last:
    """The last whole session and what there was to tell of it."""

    session: LegislativeSession
    facts: tuple[Fact, ...]


class Foretelling:
    """What was read of the last session, for as long as it is still true: anybody may ask, and it is much to read."""

    def __init__(self) -> None:
        self._kept: tuple[object, Last | None] | None = None

    def last(self, context: Context) -> Last | None:
        """The session before today's, or None while the record has nothing of it."""
        today = context.today()
        with context.database.reading() as database:
            true_of = today, record.state(database)
            kept = self._kept  # another thread may replace it meanwhile
            if kept is None or kept[0] != true_of:
                kept = self._kept = true_of, _last(database, today)
        return kept[1]


def _last(database: Session, today: date) -> Last | None:
    session = next(one for one in map(regular_session, range(today.year, 0, -1)) if one.adjourns < today)
    facts = tuple(_facts(database, session))
    return Last(session, facts) if any(one.interest is Interest.ACTIVITY for one in facts) else None


def messages(told: Last, choice: Choice) -> int:
    """How many would have been sent: not items, since what is due at one moment leaves in one message."""
    wanted = [one for one in told.facts if one.interest in choice.interests and follows(choice, one.issue, one.topic)]
    sent = {_moment(one, choice) for one in wanted}
    return len(sent) + (_quiet_weeks(told.session, wanted) if Interest.HEARTBEAT in choice.interests else 0)


def _moment(fact: Fact, choice: Choice) -> tuple[str, date | datetime]:
    """Facts with the same moment leave together. Hearings leave at once whatever the cadence."""
    if fact.interest is Interest.HEARINGS or choice.cadence is Cadence.IMMEDIATE:
        return "at once", fact.at
    if choice.cadence is Cadence.DAILY:
        return "digest", fact.day
    ends = (choice.weekday or 0) - fact.day.weekday()
    return "digest", fact.day + timedelta(days=ends % 7)


def _quiet_weeks(session: LegislativeSession, told: Iterable[Fact]) -> int:
    """Weeks of the session with nothing else to tell."""
    busy = {(one.day - session.begins) // _WEEK for one in told}
    return len(set(range((session.adjourns - session.begins) // _WEEK + 1)) - busy)


def _facts(database: Session, session: LegislativeSession) -> Iterable[Fact]:
    topics = record.topics(database)
    for issue, day in record.action_days(database, session.identifier):
        yield Fact(Interest.ACTIVITY, issue, topics[issue], day)
    for issue, day, text in record.hearing_rows(database, session.identifier):
        if hearing_day(ActionRow(day, text)) is not None:
            yield Fact(Interest.HEARINGS, issue, topics[issue], day)
    since, until = (_midnight(one.begins) for one in (session, regular_session(int(session.identifier) + 1)))
    for issue, moment in record.move_moments(database, since, until):
        yield Fact(Interest.STATUS, issue, topics[issue], moment)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), EASTERN)
