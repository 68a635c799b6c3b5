"""Once a week in session, to those who wish: nothing changed, and everything was read. Or honestly what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret import sessions
from monitor.interpret.sentences import plain_day
from monitor.model.messaging import AnnouncementKind, Choice, Interest, Item, follows
from monitor.model.tracking import SourceKind
from monitor.store import audience, board, changes, outbox, readers, record, unread
from monitor.store.audience import Follower
from monitor.store.database import chunks
from monitor.store.schema import Source
from monitor.workflow import pace
from monitor.workflow.addresses import page_url
from monitor.workflow.context import EASTERN, Context
from monitor.workflow.killpoints import killpoint

_WEEK = timedelta(days=7)

#: A service that was down tells a little late, but not about a week that is long over.
_LATEST = timedelta(days=1)

#: Subscribers looked at together, and unread sources named before the others are only counted.
_TOGETHER = 500
_NAMED = 3


def heartbeat(context: Context, progress: Callable[[], None] = lambda: None) -> int:
    """Tell those whose week has ended and who were told nothing in it. Returns how many deliveries that are.

    ``progress`` is called at each subscriber that is looked at.
    """
    if not sessions.in_session(context.today()):
        return 0
    now = context.now()
    with context.database.reading() as session:  # most looks find nobody, and are in no writer's way
        if not _Beat(context.config, session, now, progress).is_anybody_due():
            return 0
    with context.database.transaction() as session:
        told = outbox.queue(session, _Beat(context.config, session, now, progress).rows())
        killpoint("before_heartbeat_commit")
    killpoint("after_heartbeat_commit")
    return told


@dataclass(frozen=True, slots=True)
class Health:
    """How the sources fare: all, those that read well, and the others, the longest unread first."""

    total: int
    well: int
    troubled: tuple[tuple[str, datetime | None], ...]


#: What a choice is of: issues and topics by their ids. For each such place what the week had, by how often.
_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Week:
    """What was published, and how many new actions the record has: read once for all who choose differently."""

    moves: Counter[frozenset[_Place]]
    actions: Counter[frozenset[_Place]]


class _Beat:
    def __init__(self, config: Config, session: Session, now: datetime, progress: Callable[[], None]) -> None:
        self._config, self._session, self._now = config, session, now
        self._progress = progress
        self._moment = cache(lambda habit: pace.last_weekly(config, habit, now))
        self._week = cache(self._read_week)
        self._health = cache(lambda: health_of(session, now))
        self._notice = cache(self._add)

    def is_anybody_due(self) -> bool:
        return any(quiet for _, quiet in self._quiet())

    def rows(self) -> Iterator[dict[str, Any]]:
        for moment, quiet in self._quiet():
            for number in sorted(audience.note_heartbeat(self._session, quiet, moment, self._now)):
                yield self._delivery(quiet[number], moment)

    def _quiet(self) -> Iterator[tuple[datetime, dict[int, Follower]]]:
        """Those who were told nothing in the week that ended at their own moment, some at a time."""
        wanting = audience.wanting(self._session, [Interest.HEARTBEAT])
        due = (one for one in wanting if self._is_due(one))
        for some in chunks(due, _TOGETHER):
            by_moment: dict[datetime, list[Follower]] = {}
            for one in some:
                by_moment.setdefault(self._moment(pace.habit_of(one)), []).append(one)
            for moment, ours in by_moment.items():
                ids = [one.id for one in ours]
                heard = readers.heard(self._session, ids, moment - _WEEK, AnnouncementKind.HEARTBEAT)
                yield moment, {one.id: one for one in ours if one.id not in heard}

    def _is_due(self, one: Follower) -> bool:
        self._progress()
        habit = pace.habit_of(one)
        moment = self._moment(habit)
        since = max(filter(None, (one.created_at, one.heartbeat_at)))
        is_fresh = since < moment and self._now - moment < _LATEST
        return is_fresh and not pace.paused(self._config, habit, self._now)

    def _delivery(self, one: Follower, moment: datetime) -> dict[str, Any]:
        is_curious = Interest.ACTIVITY in one.interests
        notice = self._notice(moment, tuple(one.topics), tuple(one.issues), is_curious)
        return outbox.to_reader(one, self._now, self._now, notice_id=notice)

    def _add(self, moment: datetime, topics: tuple[str, ...], issues: tuple[str, ...], is_curious: bool) -> int:
        """Who asked for moves or actions was told, and gets no note; others did not ask, or came later."""
        week = self._week(moment)
        choice = Choice(topics, issues)
        actions = 0 if is_curious else _theirs(week.actions, choice)
        item = note(self._config, self._health(), actions, _theirs(week.moves, choice))
        kept = {key: value for key, value in asdict(item).items() if key in ("heading", "sentence", "url")}
        return outbox.add_notice(self._session, AnnouncementKind.HEARTBEAT, [kept], [], self._now).id

    def _read_week(self, moment: datetime) -> _Week:
        since, topic_of = moment - _WEEK, record.topics(self._session)
        published = record.move_moments(self._session, since, self._now)
        moves = Counter(frozenset({(one, topic_of.get(one, ""))}) for one, _ in published)
        return _Week(moves, Counter(map(frozenset, changes.places_since(self._session, since))))


def _theirs(counted: Counter[frozenset[_Place]], choice: Choice) -> int:
    """How much of it is about what they follow."""
    return sum(count for places, count in counted.items() if any(follows(choice, *place) for place in places))


def health_of(session: Session, now: datetime) -> Health:
    """How everything that is read fares now."""
    counts = board.sources_of(session, now)
    troubled = tuple((_name(one), one.last_good_at) for one in unread.listing(session, now))
    return Health(counts.total, counts.well, troubled)


def note(config: Config, health: Health, actions: int = 0, moves: int = 0) -> Item:
    """What the week came to. Where a source was not read, or the board was changed, nothing is called unchanged."""
    url = page_url(config, "")
    if health.troubled or health.well < health.total or not health.total:
        return Item("We could not read everything", _unread(health), url=url)
    read = f"All {health.total} sources read well." if health.total > 1 else "The one source reads well."
    if moves:
        counted = "1 change was" if moves == 1 else f"{moves:,} changes were"
        return Item("The board has changed", f"{counted} published on the issues you follow. {read}", url=url)
    if actions:
        counted = "is 1 new action" if actions == 1 else f"are {actions:,} new actions"
        text = f"No status changed on the issues you follow. In the record there {counted} on their bills. {read}"
        return Item("No status changed", text, url=url)
    return Item("Nothing changed", f"Nothing changed. {read}", url=url)


def _unread(health: Health) -> str:
    named = "; ".join(f"{name} {_since(moment)}" for name, moment in health.troubled[:_NAMED])
    rest = len(health.troubled) - _NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    count = health.total - health.well
    return (
        f"{health.well} of {health.total} sources read well; {count} cannot be read: {named}{more}. "
        "So we cannot say that nothing changed."
    )


def _since(moment: datetime | None) -> str:
    return f"since {plain_day(moment.astimezone(EASTERN).date())}" if moment is not None else "so far"


_KINDS = {SourceKind.BILL_FEED: "the bulk files", SourceKind.ACTS_PAGE: "the list of acts"}


def _name(source: Source) -> str:
    if source.bill is not None:
        return f"the page of {source.bill.label} ({source.bill.session})"
    known = _KINDS.get(SourceKind(source.kind))
    return known or f"{source.slug} ({urlsplit(source.url).hostname})"
