"""Watched bills and the ledger of their actions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from monitor.model.legislature import ActionRow, BillKey
from monitor.store.database import chunks
from monitor.store.schema import Action, Bill, Source, Watch


def find(session: Session, key: BillKey) -> Bill | None:
    return session.scalars(select(Bill).where(Bill.session == key.session, Bill.identifier == key.identifier)).first()


def _watched() -> Select[Bill]:
    """Bills that an active watch names. (A list of all their ids would be made for every query, and sorted.)"""
    watched = exists().where(Watch.bill_id == Bill.id, Watch.active)
    return select(Bill).where(watched).order_by(Bill.session, Bill.identifier)


def unasked(session: Session, legislative_session: str | None = None) -> list[Bill]:
    """Watched bills that no good bulk file has been asked about yet, of one session or of all."""
    rows = _watched().where(Bill.feed_asked_at.is_(None))
    return list(
        session.scalars(rows if legislative_session is None else rows.where(Bill.session == legislative_session))
    )


def named(session: Session, legislative_session: str, identifiers: Collection[str]) -> list[Bill]:
    """Those of a session's bills that are watched."""
    rows = _watched().where(Bill.session == legislative_session)
    return [bill for some in chunks(identifiers) for bill in session.scalars(rows.where(Bill.identifier.in_(some)))]


def of_ids(session: Session, ids: Collection[int]) -> dict[int, Bill]:
    """The bills of these ids."""
    rows = (select(Bill).where(Bill.id.in_(some)) for some in chunks(ids))
    return {bill.id: bill for one in rows for bill in session.scalars(one)}


class PageState(NamedTuple):
    """What decides when a bill's status page is read next."""

    bill_id: int
    stage: str | None
    in_feed: bool


def states_of_pages(session: Session, source_ids: Collection[int]) -> dict[int, PageState]:
    """For each source that is a bill's status page, how its bill stands."""
    of = and_(Bill.session == Source.session, Bill.identifier == Source.identifier)
    rows = select(Source.id, Bill.id, Bill.stage, Bill.in_feed).join(Bill, of).where(Source.id.in_(source_ids))
    return {source: PageState(bill, stage, in_feed) for source, bill, stage, in_feed in session.execute(rows)}


def note_page_read(session: Session, bill_ids: Collection[int], now: datetime) -> None:
    """The status pages of these bills were read well."""
    session.execute(update(Bill).where(Bill.id.in_(bill_ids)).values(page_read_at=now))


def ledger(session: Session, bill_id: int) -> list[Action]:
    """Every action ever seen, in history order; the removed ones too."""
    return list(session.scalars(select(Action).where(Action.bill_id == bill_id).order_by(Action.position, Action.id)))


def ledgers(session: Session, bill_ids: Collection[int]) -> dict[int, list[Action]]:
    """The same for many bills in one query."""
    found: dict[int, list[Action]] = {bill_id: [] for bill_id in bill_ids}
    for some in chunks(bill_ids):
        rows = select(Action).where(Action.bill_id.in_(some)).order_by(Action.bill_id, Action.position, Action.id)
        for action in session.scalars(rows):
            found[action.bill_id].append(action)
    return found


def histories(session: Session, bill_ids: Collection[int]) -> dict[int, list[ActionRow]]:
    """The rows that stand today, oldest first, of many bills and without the weight of mapped rows."""
    found: dict[int, list[ActionRow]] = {bill_id: [] for bill_id in bill_ids}
    for some in chunks(bill_ids):
        rows = (
            select(Action.bill_id, Action.date, Action.description)
            .where(Action.bill_id.in_(some), Action.gone.is_(False))
            .order_by(Action.bill_id, Action.position, Action.id)
        )
        for bill_id, day, description in session.execute(rows):
            found[bill_id].append(ActionRow(day, description))
    return found


def leave_feed(session: Session, new_session: str) -> None:
    """The bulk files have turned to ``new_session`` and verify no other session's bills any more."""
    session.execute(update(Bill).where(Bill.session != new_session).values(in_feed=False))


def forget_unwatched(session: Session) -> None:
    """A bill nobody watches is no longer followed: when it is watched again, all the files know of it is asked anew."""
    followed = select(Watch.bill_id).where(Watch.active, Watch.bill_id.is_not(None))
    session.execute(update(Bill).where(Bill.id.not_in(followed)).values(in_feed=False, feed_asked_at=None))


def history(actions: list[Action]) -> tuple[ActionRow, ...]:
    """The rows that stand today, oldest first."""
    return tuple(ActionRow(action.date, action.description) for action in actions if not action.gone)


def vanished(session: Session, before: datetime) -> list[Action]:
    """Rows that no channel has shown since ``before`` and that nobody has been told about yet."""
    rows = select(Action).where(Action.removed_at < before, Action.gone.is_(False)).order_by(Action.bill_id, Action.id)
    return list(session.scalars(rows))


def stage_read_before(session: Session, day: date) -> list[Bill]:
    """Watched bills whose stage has not been read for ``day`` yet."""
    unread = or_(Bill.stage_on.is_(None), Bill.stage_on < day)
    return list(session.scalars(_watched().where(Bill.first_read_at.is_not(None), unread)))


def verified_at(bill: Bill, feed_read_at: datetime | None) -> datetime | None:
    """When any channel last showed this bill well."""
    reads = [bill.page_read_at, feed_read_at if bill.in_feed else None]
    return max((moment for moment in reads if moment is not None), default=None)
