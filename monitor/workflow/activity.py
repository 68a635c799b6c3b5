"""New actions of watched bills, told as facts of the record to those who want them, reviewed or not.

In the transaction that records them, so that none is told twice and none forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret.actions import hearing_day
from monitor.model.legislature import ActionRow
from monitor.model.messaging import AnnouncementKind, Interest, follows
from monitor.model.tracking import ChangeKind
from monitor.store import audience, changes, outbox
from monitor.store.audience import Follower
from monitor.store.schema import ChangeRow, Issue
from monitor.workflow import pace

_WANTED = (Interest.ACTIVITY, Interest.HEARINGS)


def tell(session: Session, config: Config, found: Sequence[ChangeRow], now: datetime, today: date) -> int:
    """Queue what each subscriber wants to know of these changes. Returns how many deliveries that are."""
    news = [one for one in found if is_news(one)]
    if not news:
        return 0
    session.flush()  # changes are told by their ids
    telling = _Telling(session, config, news, now, today)
    followers = audience.wanting(session, _WANTED, telling.about)
    return outbox.queue(session, (row for one in followers for row in telling.rows(one)))


def is_news(change: ChangeRow) -> bool:
    """Whether it is a bill's new action, or a hearing that was moved; not that a clerk mended a word."""
    if change.kind == ChangeKind.ACTION_AMENDED:
        return heard_on(change) not in (None, heard_before(change))
    return change.kind == ChangeKind.ACTION


def heard_on(change: ChangeRow) -> date | None:
    """The day of the hearing that a change announces."""
    return hearing_day(ActionRow(change.on, change.quote)) if change.on is not None else None


def heard_before(change: ChangeRow) -> date | None:
    """The day that the row announced before it was amended."""
    return hearing_day(ActionRow(change.on, change.before)) if change.on is not None and change.before else None


class _Telling:
    """Sorts the news for one subscriber after the other. Those with the same news share a notice."""

    def __init__(self, session: Session, config: Config, news: Sequence[ChangeRow], now: datetime, today: date) -> None:
        self._session, self._now = session, now
        issues = changes.issues_of_bills(session, {one.bill_id for one in news if one.bill_id is not None})
        self._news = [(one, issues.get(one.bill_id or 0, []), _is_to_come(one, today)) for one in news]
        self._issues = {issue.id: issue for known in issues.values() for issue in known}
        self._notice = cache(self._add)
        self._chosen = cache(self._choose)
        self._due = cache(lambda habit: pace.due_at(config, habit, now))
        self._at_once = cache(lambda habit: pace.at_once(config, habit, now))

    @property
    def about(self) -> Collection[Issue]:
        return self._issues.values()

    def rows(self, one: Follower) -> Iterator[dict[str, Any]]:
        followed = frozenset(issue.id for issue in self._issues.values() if follows(one, issue.id, issue.topic_id))
        habit = pace.habit_of(one)
        for kind, ids in self._chosen(followed, Interest.ACTIVITY in one.interests, Interest.HEARINGS in one.interests):
            due = self._at_once(habit) if kind is AnnouncementKind.HEARING else self._due(habit)
            yield outbox.to_reader(one, self._now, due, notice_id=self._notice(kind, ids))

    def _choose(
        self, followed: frozenset[str], activity: bool, hearings: bool
    ) -> tuple[tuple[AnnouncementKind, tuple[int, ...]], ...]:
        """A hearing goes to who asked for hearings as such, at once; to others it is one action more."""
        ours = [(change, soon) for change, issues, soon in self._news if _any(issues, followed)]
        apart = [change.id for change, soon in ours if hearings and soon]
        others = [change.id for change, _ in ours if activity and change.id not in apart]
        told = {AnnouncementKind.HEARING: tuple(apart), AnnouncementKind.ACTIVITY: tuple(others)}
        return tuple((kind, ids) for kind, ids in told.items() if ids)

    def _add(self, kind: AnnouncementKind, ids: tuple[int, ...]) -> int:
        return outbox.add_notice(self._session, kind, list(ids), [], self._now).id


def _any(issues: Sequence[Issue], followed: frozenset[str]) -> bool:
    return any(issue.id in followed for issue in issues)


def _is_to_come(change: ChangeRow, today: date) -> bool:
    day = heard_on(change)
    return day is not None and day >= today
