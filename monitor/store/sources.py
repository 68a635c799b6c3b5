"""Sources and watches: what is due, who reads it, and how it fares."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from monitor.model.legislature import BillKey
from monitor.model.tracking import SourceKind
from monitor.store.database import chunks
from monitor.store.schema import Bill, Source, Watch

#: A claim outlives the slowest honest pass and no more: a dead worker's sources come back after it.
LEASE = timedelta(minutes=2)

#: What a quiet read may change of a source; by its id.
_TOUCHED = (
    *("id", "next_check_at", "claimed_by", "claimed_until", "etag", "last_modified", "conditional_passes"),
    *("verdict", "error", "failures", "last_read_at", "last_good_at", "outage_since", "requests", "bytes_read"),
)


def by_slug(session: Session, slug: str) -> Source | None:
    return session.scalars(select(Source).where(Source.slug == slug)).first()


def due(
    session: Session,
    now: datetime,
    since: datetime,
    kinds: Collection[SourceKind],
    only: Collection[int] | None,
    limit: int,
) -> list[int]:
    """Ids of active sources that were due at ``since`` and that nobody holds ``now``, most overdue first."""
    rows = (
        select(Source.id)
        .where(Source.active, Source.kind.in_(kinds), Source.next_check_at <= since, _free(now))
        .order_by(Source.next_check_at, Source.id)
        .limit(limit)
    )
    return list(session.scalars(rows if only is None else rows.where(Source.id.in_(only))))


def claim(session: Session, ids: Sequence[int], owner: str, now: datetime) -> list[Source]:
    """Take those of ``ids`` that are still free; the conditional update decides who won."""
    won = session.scalars(
        update(Source)
        .where(Source.id.in_(ids), _free(now))
        .values(claimed_by=owner, claimed_until=now + LEASE)
        .returning(Source.id)
    )
    taken = set(won)
    rows = session.scalars(select(Source).where(Source.id.in_(taken)).execution_options(populate_existing=True))
    return sorted(rows, key=lambda source: ids.index(source.id))


def _free(now: datetime):  # type: ignore[no-untyped-def]  # an SQL expression
    return or_(Source.claimed_until.is_(None), Source.claimed_until < now)


def held(session: Session, source_id: int, owner: str) -> Source | None:
    """The source, if ``owner`` still holds it: a worker that overslept its lease writes nothing."""
    row = session.get(Source, source_id, populate_existing=True, with_for_update=True)
    return row if row is not None and row.claimed_by == owner else None


def held_ids(session: Session, ids: Collection[int], owner: str) -> set[int]:
    """Which of these sources ``owner`` still holds."""
    held = select(Source.id).where(Source.id.in_(ids), Source.claimed_by == owner)
    return set(session.scalars(held.with_for_update()))


def write(session: Session, rows: Sequence[Source]) -> None:
    """Put sources that a quiet read has touched back at once, without mapping them anew."""
    if rows:
        session.execute(update(Source), [{name: getattr(row, name) for name in _TOUCHED} for row in rows])


def release(source: Source, next_check_at: datetime) -> None:
    source.claimed_by = None
    source.claimed_until = None
    source.next_check_at = next_check_at


def release_all(session: Session, owner: str) -> None:
    """Give back everything ``owner`` still holds, as when a run is stopped half way."""
    session.execute(update(Source).where(Source.claimed_by == owner).values(claimed_by=None, claimed_until=None))


def make_due(session: Session, ids: Collection[int], now: datetime) -> None:
    if ids:
        session.execute(update(Source).where(Source.id.in_(ids), Source.active).values(next_check_at=now))


def bring_forward(session: Session, kind: SourceKind, legislative_session: str, latest: datetime) -> None:
    """Read the sources of a kind and session no later than ``latest``."""
    session.execute(
        update(Source)
        .where(
            Source.kind == kind,
            Source.session == legislative_session,
            Source.active,
            Source.next_check_at > latest,
        )
        .values(next_check_at=latest)
    )


def due_ids(session: Session, watch_ids: Collection[str] | None) -> list[int]:
    """Every active scheduled source, or those behind the given watches."""
    if watch_ids is None:
        return list(session.scalars(select(Source.id).where(Source.active, Source.next_check_at.is_not(None))))
    watches = session.scalars(select(Watch).where(Watch.id.in_(watch_ids)))
    keys = [(watch.source_id, watch.bill_id) for watch in watches]
    direct = {source_id for source_id, _ in keys if source_id is not None}
    pages = {page.id for _, bill_id in keys if bill_id is not None for page in _pages(session, bill_id)}
    feeds = select(Source.id).where(Source.active, Source.kind == SourceKind.BILL_FEED)
    shared = set(session.scalars(feeds.where(Source.next_check_at.is_not(None)))) if pages else set()
    return sorted(direct | pages | shared)


def _pages(session: Session, bill_id: int) -> list[Source]:
    bill = session.get_one(Bill, bill_id)
    return [page for page in [page_of(session, bill.key)] if page is not None]


def page_of(session: Session, key: BillKey) -> Source | None:
    """The bill's own status page, if it is being read."""
    return session.scalars(
        select(Source).where(
            Source.kind == SourceKind.BILL_PAGE,
            Source.session == key.session,
            Source.identifier == key.identifier,
            Source.active,
        )
    ).first()


def pages_of(session: Session, legislative_session: str, identifiers: Collection[str]) -> list[int]:
    """The ids of the status pages of a session's bills."""
    pages = select(Source.id).where(
        Source.kind == SourceKind.BILL_PAGE, Source.session == legislative_session, Source.active
    )
    return [page for some in chunks(identifiers) for page in session.scalars(pages.where(Source.identifier.in_(some)))]


def first_watches(
    session: Session, column: InstrumentedAttribute[int | None], ids: Collection[int | None]
) -> dict[int | None, str]:
    """The first active watch of each bill or source, whichever ``column`` names."""
    named = [one for one in ids if one]
    if not named:
        return {}
    rows = select(column, func.min(Watch.id)).where(column.in_(named), Watch.active)
    return {row[0]: row[1] for row in session.execute(rows.group_by(column))}


def watches_of_bill(session: Session, bill_id: int) -> list[Watch]:
    return list(session.scalars(select(Watch).where(Watch.bill_id == bill_id, Watch.active).order_by(Watch.id)))


def watches_of_source(session: Session, source_id: int) -> list[Watch]:
    return list(session.scalars(select(Watch).where(Watch.source_id == source_id, Watch.active).order_by(Watch.id)))


def failing(session: Session, limit: int) -> list[Source]:
    """Active sources whose last read could not be believed, the longest out first."""
    rows = select(Source).where(Source.active, Source.failures > 0)
    return list(session.scalars(rows.order_by(Source.outage_since.asc().nulls_last(), Source.id).limit(limit)))


def well(session: Session, after: str, limit: int) -> list[Source]:
    """The other active sources by slug, those after ``after``."""
    rows = select(Source).where(Source.active, Source.failures == 0, Source.slug > after)
    return list(session.scalars(rows.order_by(Source.slug).limit(limit)))


def counts(session: Session) -> tuple[int, int]:
    """How many active sources there are, and how many of them fail."""
    rows = select(func.count(), func.count(Source.id).filter(Source.failures > 0)).where(Source.active)
    every, bad = session.execute(rows).one()
    return every, bad
