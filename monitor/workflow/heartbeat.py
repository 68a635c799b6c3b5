"""Once a week in session, to those who wish: nothing changed, and everything was read. Or honestly what was not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret import sessions
from monitor.interpret.sentences import plain_day
from monitor.model.messaging import AnnouncementKind, Interest, Item
from monitor.model.tracking import SourceKind
from monitor.store import audience, board, changes, outbox, readers, record, unread
from monitor.store.audience import Follower
from monitor.store.schema import Issue, Source
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
    with context.database.transaction() as session:
        beat = _Beat(context.config, session, context.now())
        wanting = _each(audience.wanting(session, [Interest.HEARTBEAT]), progress)
        told = outbox.queue(session, beat.rows(wanting))
        killpoint("before_heartbeat_commit")
    killpoint("after_heartbeat_commit")
    return told


def _each(followers: Iterable[Follower], progress: Callable[[], None]) -> Iterator[Follower]:
    for one in followers:
        progress()
        yield one


@dataclass(frozen=True, slots=True)
class Health:
    """How the sources fare: all, those that read well, and the others, the longest unread first."""

    total: int
    well: int
    troubled: tuple[tuple[str, datetime | None], ...]


class _Beat:
    def __init__(self, config: Config, session: Session, now: datetime) -> None:
        self._config, self._session, self._now = config, session, now
        self._moment = cache(lambda habit: pace.last_weekly(config, habit, now))
        self._notice = cache(self._add)

    def rows(self, followers: Iterable[Follower]) -> Iterator[dict[str, Any]]:
        due = (one for one in followers if self._is_due(one))
        while some := list(islice(due, _TOGETHER)):
            yield from self._told(some)

    def _is_due(self, one: Follower) -> bool:
        habit = pace.habit_of(one)
        moment = self._moment(habit)
        since = max(filter(None, (one.created_at, one.heartbeat_at)))
        is_fresh = since < moment and self._now - moment < _LATEST
        return is_fresh and not pace.paused(self._config, habit, self._now)

    def _told(self, some: Sequence[Follower]) -> Iterator[dict[str, Any]]:
        """Those who were told nothing in the week that ended at their own moment."""
        by_moment: dict[datetime, list[Follower]] = {}
        for one in some:
            by_moment.setdefault(self._moment(pace.habit_of(one)), []).append(one)
        for moment, ours in by_moment.items():
            heard = readers.heard(self._session, [one.id for one in ours], moment - _WEEK, AnnouncementKind.HEARTBEAT)
            quiet = {one.id: one for one in ours if one.id not in heard}
            for number in sorted(audience.note_heartbeat(self._session, quiet, moment, self._now)):
                yield self._delivery(quiet[number], moment)

    def _delivery(self, one: Follower, moment: datetime) -> dict[str, Any]:
        is_curious = Interest.ACTIVITY in one.interests
        return {
            "id": outbox.new_id(),
            "notice_id": self._notice(moment, tuple(one.topics), tuple(one.issues), is_curious),
            "subscription_id": one.id,
            "recipient": f"subscription:{one.id}",
            "channel": one.channel,
            "due_at": self._now,
            "created_at": self._now,
        }

    def _add(self, moment: datetime, topics: tuple[str, ...], issues: tuple[str, ...], is_curious: bool) -> int:
        actions = 0 if is_curious else self._actions(moment, topics, issues)
        moves = self._moves(moment, topics, issues)
        item = note(self._config, health_of(self._session, self._now), actions, moves)
        kept = {key: value for key, value in asdict(item).items() if key in ("heading", "sentence", "url")}
        return outbox.add_notice(self._session, AnnouncementKind.HEARTBEAT, [kept], [], self._now).id

    def _moves(self, moment: datetime, topics: tuple[str, ...], issues: tuple[str, ...]) -> int:
        """How many changes were published on their issues since the week began. Who asked for them was told, and gets
        no note; others did not ask, or came later."""
        topic_of = record.topics(self._session)
        found = record.move_moments(self._session, moment - _WEEK, self._now)
        return sum(not (topics or issues) or one in issues or topic_of.get(one) in topics for one, _ in found)

    def _actions(self, moment: datetime, topics: tuple[str, ...], issues: tuple[str, ...]) -> int:
        """How many actions the week's record has on their issues' bills."""

        def is_theirs(issue: Issue) -> bool:
            return not (topics or issues) or issue.id in issues or issue.topic_id in topics

        rows = changes.since(self._session, moment - _WEEK)
        watching = changes.issues_of_bills(self._session, {one.bill_id for one in rows if one.bill_id is not None})
        return sum(any(map(is_theirs, watching.get(one.bill_id or 0, []))) for one in rows)


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
