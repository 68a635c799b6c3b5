"""What the board says: every issue with its status, how sure we are of it, and what nobody has reviewed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret import sessions
from monitor.interpret.sentences import plain_day
from monitor.model.legislature import Stage
from monitor.model.tracking import SourceKind, Status
from monitor.store import board, moves, watched
from monitor.store.board import Standing, WatchRead
from monitor.web import words
from monitor.web.links import Linker, Piece, task_force_name
from monitor.web.words import When
from monitor.workflow.context import Context

#: What each status means, beside its number.
MEANINGS = {
    Status.ACHIEVED: "A law now does what the issue asks.",
    Status.SOME_PROGRESS: "A law or study goes part of the way.",
    Status.NO_PROGRESS: "We looked. No law does this yet.",
}


@dataclass(frozen=True, slots=True)
class News:
    """Something in the record that no person has reviewed; ``seen`` is a sentence on when it was first seen."""

    pieces: tuple[Piece, ...]
    seen: str
    more: int

    @property
    def sentence(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Row:
    """One issue on the board. ``doubts`` are sentences on what could not be read; with any, the status may be old."""

    id: str
    name: str
    status: Status
    since: str
    since_day: date | None
    narrative: tuple[Piece, ...]
    verified: str
    verified_at: datetime | None
    updated_at: datetime
    doubts: tuple[str, ...]
    news: News | None
    sources: int
    is_settled: bool

    @property
    def is_old(self) -> bool:
        """Whether the mark stands in a dashed ring."""
        return bool(self.doubts)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.narrative)


@dataclass(frozen=True, slots=True)
class TopicRows:
    id: str
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Freshness:
    """The line under the title. ``verified`` None: nothing could be verified; ``stopped`` says since when."""

    verified: When | None
    total: int
    well: int
    updated: When | None
    legislature: str
    next_check: When | None
    stopped: str


@dataclass(frozen=True, slots=True)
class Board:
    """The whole page."""

    topics: tuple[TopicRows, ...]
    fresh: Freshness

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for topic in self.topics for row in topic.rows)

    @property
    def tally(self) -> list[tuple[Status, int, str]]:
        """Best first: status, how many, what it means."""
        return [(one, sum(row.status is one for row in self.rows), MEANINGS[one]) for one in reversed(Status)]

    @property
    def first_old(self) -> str:
        """The first issue whose status may be out of date."""
        return next((row.id for row in self.rows if row.is_old), "")

    def only(self, status: Status) -> tuple[TopicRows, ...]:
        """The topics with their issues of one status; none without."""
        kept = (
            TopicRows(one.id, one.name, tuple(row for row in one.rows if row.status is status)) for one in self.topics
        )
        return tuple(topic for topic in kept if topic.rows)


def read_board(session: Session, context: Context) -> Board:
    """The board as of the context's now."""
    now = context.now()
    standings = board.standings(session, now)
    moved = moves.last_moved(session)
    waiting = watched.unreviewed(session)
    linker = Linker.of(session, context.config)
    doubting = Doubts(context.config, now)
    topics: dict[str, list[Row]] = {}
    for one in standings:
        row = read_row(one, linker, doubting, waiting.get(one.issue.id, []), now)
        topics.setdefault(one.issue.topic_id, []).append(row)
    names = {one.issue.topic_id: one.issue.topic.name for one in standings}
    groups = tuple(TopicRows(topic_id, names[topic_id], tuple(rows)) for topic_id, rows in topics.items())
    rows = [row for group in groups for row in group.rows]
    fresh = _freshness(session, rows, board.sources_of(session, now), max(moved.values(), default=None), now)
    return Board(groups, fresh)


def read_row(
    one: Standing, linker: Linker, doubting: Doubts, waiting: Sequence[watched.Unreviewed], now: datetime
) -> Row:
    """One issue's row."""
    issue = one.issue
    return Row(
        id=issue.id,
        name=issue.name,
        status=Status(issue.status),
        since=str(issue.status_since.year) if issue.status_since else "",
        since_day=issue.status_since,
        narrative=linker.pieces(issue.narrative, issue.id),
        verified=words.ago(one.verified_at, now) if one.verified_at else "",
        verified_at=one.verified_at,
        updated_at=issue.updated_at,
        doubts=doubting.of(one),
        news=_news(waiting, linker, now),
        sources=len(one.watches),
        is_settled=all(read.is_settled and read.is_well for read in one.reads),
    )


def _news(waiting: Sequence[watched.Unreviewed], linker: Linker, now: datetime) -> News | None:
    if not waiting:
        return None
    first = waiting[0]
    seen_on = words.day(first.first_seen_at)
    is_today = seen_on == words.day(now)
    # "6:10 a.m." brings its own full stop.
    seen = (
        f"First seen today, {words.plain_time(first.first_seen_at)}"
        if is_today
        else f"First seen {plain_day(seen_on)}."
    )
    return News(linker.pieces(first.sentence, first.issue_id), seen, len(waiting) - 1)


class Doubts:
    """Says which sources of an issue could not be read, and since when."""

    def __init__(self, config: Config, now: datetime) -> None:
        self._config, self._now = config, now

    @cached_property
    def _urls(self) -> dict[str, str]:
        return {watch.id: watch.url for watch in self._config.watches()}

    def of(self, standing: Standing) -> tuple[str, ...]:
        """One sentence a source; the last one tells how the others fare."""
        troubled = [read for read in standing.reads if not read.is_well or read.is_late]
        said = [self._sentence(read) for read in troubled[:3]]
        if len(troubled) > 3:
            said.append(f"{words.count(len(troubled) - 3, 'more source').capitalize()} could not be read either.")
        others = len(standing.reads) - len(troubled)
        if said and others:
            said.append(f"Its other {words.count(others, 'source')} {'was' if others == 1 else 'were'} read well.")
        return tuple(said)

    def _sentence(self, read: WatchRead) -> str:
        what = self._name(read)
        if read.read_at is None:
            return f"{what} has not been read yet." if read.is_well else f"{what} has never been readable."
        since = words.short_day(words.day(read.read_at), words.day(self._now))
        return f"{what} has not been {'read' if read.is_well else 'readable'} since {since}."

    def _name(self, read: WatchRead) -> str:
        if read.bill is not None:
            return f"The record of {read.bill.label} ({read.bill.session})"
        url = self._urls.get(read.watch_id, "")
        if read.kind == SourceKind.FEED:
            return f"The feed of {urlsplit(url).hostname or 'another site'}"
        name = task_force_name(url)
        return f"The page of the {name}" if name else "A page of documents"


def _freshness(
    session: Session, rows: Sequence[Row], sources: board.Sources, moved: datetime | None, now: datetime
) -> Freshness:
    known = [row for row in rows if not row.is_old]
    # What cannot move any more is read once a month, and rightly so: it says nothing about the others.
    lively = [row for row in known if not row.is_settled] or known
    sure = [row.verified_at for row in lively if row.verified_at is not None]
    updated = moved or max((row.updated_at for row in rows), default=None)
    return Freshness(
        verified=words.at(min(sure)) if sure else None,
        total=sources.total,
        well=sources.well,
        updated=words.on(words.day(updated)) if updated is not None else None,
        legislature=legislature(session, words.day(now)),
        next_check=words.at(sources.next_check_at) if sources.next_check_at is not None else None,
        stopped=_stopped(sources, now),
    )


def _stopped(sources: board.Sources, now: datetime) -> str:
    """A sentence when nothing at all can be read."""
    if sources.well or not sources.total:
        return ""
    if sources.last_good_at is None:
        return "None of the sources has been read yet."
    since = words.short_day(words.day(sources.last_good_at), words.day(now))
    return f"None of the {words.count(sources.total, 'source')} has been read well since {since}."


_WITH_GOVERNOR = (Stage.PASSED_BOTH, Stage.TO_GOVERNOR)


def legislature(session: Session, today: date) -> str:
    """Where the session stands: "session ended June 4; the governor is still acting on bills"."""
    current = sessions.current(today)
    if current.begins <= today <= current.adjourns:
        return f"{current.name.lower()} in session until {words.short_day(current.adjourns, today)}"
    ended = f"session ended {words.short_day(current.adjourns, today)}"
    # The governor has fifteen days after adjournment, counted from when a bill reaches him: a month covers it.
    is_recent = (today - current.adjourns).days <= 45
    if is_recent and watched.count_in_stages(session, current.identifier, _WITH_GOVERNOR):
        return f"{ended}; the governor is still acting on bills"
    coming = [one for one in map(sessions.regular_session, (today.year, today.year + 1)) if one.begins > today]
    return f"{ended}; the next one begins {plain_day(coming[0].begins)}"
