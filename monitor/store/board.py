"""The board as it stands, and how sure we are of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload

from monitor.model.legislature import SETTLED, BillKey
from monitor.model.tracking import ProposalState, SourceKind
from monitor.store.schema import (
    Action,
    Bill,
    ChangeRow,
    Issue,
    Proposal,
    Publication,
    Source,
    Topic,
    Transition,
    Watch,
)
from monitor.store.schema_desk import Deed

#: How long after its time a read is still no sign that the service has stopped: the longest back-off and a slow pass.
LATE = timedelta(hours=13)


@dataclass(frozen=True, slots=True)
class WatchRead:
    """How well we know what one watch watches.

    ``is_settled``: it is a bill that cannot move any more, read seldom and rightly so. ``is_late``: it should have been
    read again long ago. ``bill`` is set for a bill; for a page or a feed ``kind`` says which.
    """

    watch_id: str
    read_at: datetime | None
    is_well: bool
    is_settled: bool = False
    is_late: bool = False
    bill: BillKey | None = None
    kind: str = SourceKind.BILL_PAGE


@dataclass(frozen=True, slots=True)
class Standing:
    """An issue and how sure we are of it.

    ``verified_at`` is when everything that can still move it was last read well: None if one never was, or nothing is
    watched. ``unread`` are the watches whose last read failed, ``late`` those that should have been read since.
    """

    issue: Issue
    verified_at: datetime | None
    watches: tuple[str, ...]
    unread: tuple[str, ...]
    late: tuple[str, ...]
    reads: tuple[WatchRead, ...] = ()


def standings(session: Session, now: datetime, only: str | None = None) -> list[Standing]:
    """Every active issue in the board's order, or ``only`` one."""
    rows = (
        select(Issue)
        .join(Topic)
        .where(Issue.active)
        .options(joinedload(Issue.topic))
        .order_by(Topic.position, Issue.position)
    )
    reads: dict[str, list[WatchRead]] = {}
    for issue_id, read in _watch_reads(session, now, only):
        reads.setdefault(issue_id, []).append(read)
    issues = session.scalars(rows if only is None else rows.where(Issue.id == only))
    return [_standing(issue, sorted(reads.get(issue.id, []), key=lambda read: read.watch_id)) for issue in issues]


def _standing(issue: Issue, reads: Sequence[WatchRead]) -> Standing:
    # A settled bill in its month between two reads says nothing about how well the others are known.
    lively = [one for one in reads if not (one.is_settled and one.is_well)] or reads
    moments = [one.read_at for one in lively if one.read_at is not None]
    return Standing(
        issue,
        min(moments) if moments and len(moments) == len(lively) else None,
        tuple(one.watch_id for one in reads),
        tuple(one.watch_id for one in reads if not one.is_well),
        tuple(one.watch_id for one in reads if one.is_late),
        tuple(reads),
    )


class _Health(NamedTuple):
    """What says how well a source is known; as plain columns, for there are thousands."""

    active: bool
    failures: int
    last_good_at: datetime | None
    next_check_at: datetime | None

    @property
    def is_well(self) -> bool:
        return self.active and self.failures == 0

    def is_late(self, now: datetime) -> bool:
        return self.next_check_at is not None and self.next_check_at < now - LATE


def _health(columns: Sequence[Any]) -> _Health:
    return _Health(*columns)


_HEALTH = (Source.active, Source.failures, Source.last_good_at, Source.next_check_at)


def _watch_reads(session: Session, now: datetime, only: str | None) -> Iterator[tuple[str, WatchRead]]:
    chosen: list[ColumnElement[bool]] = [Watch.active.is_(True)]
    if only is not None:
        chosen.append(Watch.issue_id == only)
    yield from _bill_reads(session, now, chosen)
    rows = select(Watch.id, Watch.issue_id, Source.kind, *_HEALTH).join(Source, Watch.source_id == Source.id)
    for watch_id, issue_id, kind, *columns in session.execute(rows.where(*chosen)):
        source = _health(columns)
        is_well = source.is_well and source.last_good_at is not None
        yield issue_id, WatchRead(watch_id, source.last_good_at, is_well, is_late=source.is_late(now), kind=kind)


_BILL = (Bill.session, Bill.identifier, Bill.stage, Bill.page_read_at, Bill.in_feed)


def _bill_reads(
    session: Session, now: datetime, chosen: Sequence[ColumnElement[bool]]
) -> Iterator[tuple[str, WatchRead]]:
    """A bill is known through the bulk files or through its page; one of the two is enough."""
    feed_row = session.execute(select(*_HEALTH).where(Source.kind == SourceKind.BILL_FEED, Source.active)).first()
    feed = _health(feed_row) if feed_row is not None else None
    page_of = and_(Source.session == Bill.session, Source.identifier == Bill.identifier)
    rows = (
        select(Watch.id, Watch.issue_id, *_BILL, *_HEALTH)
        .join(Bill, Watch.bill_id == Bill.id)
        .outerjoin(Source, page_of)
        .where(*chosen)
    )
    for watch_id, issue_id, year, identifier, stage, page_read_at, in_feed, *columns in session.execute(rows):
        page = _health(columns) if columns[0] is not None else None
        feed_read_at = feed.last_good_at if feed is not None and in_feed else None
        read_at = max((moment for moment in (page_read_at, feed_read_at) if moment is not None), default=None)
        through = [one for one in (feed if in_feed else None, page) if one is not None and one.active]
        is_well = read_at is not None and any(one.is_well for one in through)
        is_late = all(one.is_late(now) for one in through)
        yield issue_id, WatchRead(watch_id, read_at, is_well, stage in SETTLED, is_late, BillKey(year, identifier))


@dataclass(frozen=True, slots=True)
class Sources:
    """How many addresses are read, how many of them read well last time and in time, and when the next read is due."""

    total: int
    well: int
    next_check_at: datetime | None
    last_good_at: datetime | None


def sources_of(session: Session, now: datetime) -> Sources:
    """The health of everything that is read."""
    health = [_health(row) for row in session.execute(select(*_HEALTH).where(Source.active))]
    well = [one for one in health if one.is_well and one.last_good_at is not None and not one.is_late(now)]
    due = [one.next_check_at for one in health if one.next_check_at is not None]
    good = [one.last_good_at for one in health if one.last_good_at is not None]
    return Sources(len(health), len(well), min(due, default=None), max(good, default=None))


def state(session: Session, now: datetime) -> tuple[object, ...]:
    """Equal while nothing a public page shows has changed but the day: then an answer that was kept is still true."""
    pending = Proposal.state == ProposalState.PENDING
    columns = (
        select(func.max(Transition.id)).scalar_subquery(),
        select(func.count(Transition.id)).scalar_subquery(),
        select(func.max(Issue.updated_at)).scalar_subquery(),
        select(func.count(Issue.id)).where(Issue.active).scalar_subquery(),
        select(func.max(Proposal.id)).scalar_subquery(),
        select(func.count(Proposal.id)).where(pending).scalar_subquery(),
        select(func.max(ChangeRow.id)).scalar_subquery(),
        select(func.max(Action.id)).scalar_subquery(),
        select(func.max(Publication.id)).scalar_subquery(),
        # Every decision, taken back or not, and every change of what is tracked leaves a line there.
        select(func.max(Deed.id)).scalar_subquery(),
        select(func.max(Source.last_read_at)).scalar_subquery(),
        select(func.max(Source.last_good_at)).scalar_subquery(),
        select(func.sum(Source.failures)).scalar_subquery(),
        select(func.count(Source.id)).where(Source.active).scalar_subquery(),
        select(func.count(Watch.id)).where(Watch.active).scalar_subquery(),
        select(func.count(Source.id)).where(Source.active, Source.next_check_at < now - LATE).scalar_subquery(),
        select(func.max(Bill.page_read_at)).scalar_subquery(),
    )
    return tuple(session.execute(select(*columns)).one())


def history(session: Session, issue_id: str) -> list[Transition]:
    """An issue's published moves, newest first."""
    rows = select(Transition).where(Transition.issue_id == issue_id).options(joinedload(Transition.proposal))
    return list(session.scalars(rows.order_by(Transition.id.desc())))


def last_move(session: Session, issue_id: str) -> Transition | None:
    """The newest published move of an issue."""
    newest = select(Transition).where(Transition.issue_id == issue_id).order_by(Transition.id.desc())
    return session.scalars(newest.limit(1)).first()


def correction_of(session: Session, transition_id: int) -> Transition | None:
    """The move that corrected this one."""
    return session.scalars(select(Transition).where(Transition.corrects_id == transition_id)).first()


def corrections(session: Session, transition_id: int) -> list[Transition]:
    """What corrected a move, what corrected that, and so on: the newest last."""
    known = correction_of(session, transition_id)
    return [] if known is None else [known, *corrections(session, known.id)]


def lineage(session: Session, move: Transition) -> list[Transition]:
    """A move, what it corrects, and what that corrects, down to the move that corrects nothing."""
    found = [move]
    while found[-1].corrects_id is not None:
        found.append(session.get_one(Transition, found[-1].corrects_id))
    return found


def arrival(session: Session, move: Transition) -> Transition | None:
    """The move that had brought the issue to the status that ``move`` took it from."""
    rows = select(Transition).where(
        Transition.issue_id == move.issue_id,
        Transition.id < move.id,
        Transition.to_status == move.from_status,
        Transition.from_status != Transition.to_status,
    )
    return session.scalars(rows.order_by(Transition.id.desc()).limit(1)).first()
