"""The board as it stands, and how sure we are of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from monitor.model.tracking import SourceKind
from monitor.store import bills
from monitor.store.schema import Bill, Issue, Source, Topic, Transition, Watch


@dataclass(frozen=True, slots=True)
class Standing:
    """An issue with when all its watches were last read well: None if one never was, or nothing is watched."""

    issue: Issue
    verified_at: datetime | None
    watches: int
    unread: tuple[str, ...]


def standings(session: Session) -> list[Standing]:
    """Every active issue in the board's order."""
    rows = session.scalars(
        select(Issue)
        .join(Topic)
        .where(Issue.active)
        .options(joinedload(Issue.topic))
        .order_by(Topic.position, Issue.position)
    )
    reads = _watch_reads(session)
    return [_standing(issue, reads.get(issue.id, {})) for issue in rows]


def _standing(issue: Issue, reads: Mapping[str, tuple[datetime | None, bool]]) -> Standing:
    moments = [moment for moment, _ in reads.values()]
    verified = min((moment for moment in moments if moment is not None), default=None) if None not in moments else None
    unread = tuple(watch for watch, (_, is_well) in reads.items() if not is_well)
    return Standing(issue, verified, len(reads), unread)


def _watch_reads(session: Session) -> dict[str, dict[str, tuple[datetime | None, bool]]]:
    """For every issue its watches: when each was last read well, and whether its last read was good."""
    feed = session.scalars(select(Source).where(Source.kind == SourceKind.BILL_FEED, Source.active)).first()
    feed_is_well = feed is not None and feed.failures == 0
    pages = {
        (one.session, one.identifier): one for one in session.scalars(select(Source).where(Source.session.is_not(None)))
    }
    found: dict[str, dict[str, tuple[datetime | None, bool]]] = {}
    rows = session.execute(
        select(Watch, Bill, Source)
        .outerjoin(Bill, Watch.bill_id == Bill.id)
        .outerjoin(Source, Watch.source_id == Source.id)
        .where(Watch.active)
        .order_by(Watch.id)
    )
    for watch, bill, source in rows:
        read: datetime | None = source.last_good_at if source is not None else None
        well = source is not None and source.failures == 0 and read is not None
        if bill is not None:
            read = bills.verified_at(bill, feed.last_good_at if feed is not None else None)
            page = pages.get((bill.session, bill.identifier))
            page_is_well = page is not None and page.active and page.failures == 0
            well = read is not None and ((bill.in_feed and feed_is_well) or page_is_well)
        found.setdefault(watch.issue_id, {})[watch.id] = (read, well)
    return found


def history(session: Session, issue_id: str) -> list[Transition]:
    """An issue's published moves, newest first."""
    rows = select(Transition).where(Transition.issue_id == issue_id).options(joinedload(Transition.proposal))
    return list(session.scalars(rows.order_by(Transition.id.desc())))
