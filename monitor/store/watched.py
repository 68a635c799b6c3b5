"""What is watched for an issue, as a page shows it: bills with their rows, documents, hearings, and what waits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from monitor.model.legislature import BillKey
from monitor.model.tracking import ChangeKind, ProposalKind, ProposalState
from monitor.store.schema import Action, Bill, ChangeRow, Proposal, Publication, Source, Watch


@dataclass(frozen=True, slots=True)
class WatchedBill:
    """A bill and which way it would move the issue."""

    bill_id: int
    key: BillKey
    title: str
    direction: str
    effect: str
    stage: str | None


def bills_of_issues(session: Session, issue_id: str | None = None) -> dict[str, list[WatchedBill]]:
    """Each issue's bills, newest session first, then by number; with ``issue_id`` only that one's."""
    bill = (Bill.id, Bill.session, Bill.identifier, Bill.title)
    rows = (
        select(Watch.issue_id, *bill, Watch.direction, Watch.effect, Bill.stage)
        .join(Watch, Watch.bill_id == Bill.id)
        .where(Watch.active)
        .order_by(Bill.session.desc(), Bill.identifier)
    )
    rows = rows if issue_id is None else rows.where(Watch.issue_id == issue_id)
    found: dict[str, list[WatchedBill]] = {}
    for issue, number, year, identifier, title, direction, effect, stage in session.execute(rows):
        one = WatchedBill(number, BillKey(year, identifier), title, direction, effect, stage)
        found.setdefault(issue, []).append(one)
    return found


def bills_of_issue(session: Session, issue_id: str) -> list[WatchedBill]:
    return bills_of_issues(session, issue_id).get(issue_id, [])


def bill_keys(session: Session) -> dict[str, list[BillKey]]:
    """The bills each issue watches."""
    rows = select(Watch.issue_id, Bill.session, Bill.identifier).join(Bill, Watch.bill_id == Bill.id)
    found: dict[str, list[BillKey]] = {}
    for issue_id, year, identifier in session.execute(rows.where(Watch.active)):
        found.setdefault(issue_id, []).append(BillKey(year, identifier))
    return found


def acts(session: Session) -> dict[tuple[str, str], list[BillKey]]:
    """(session, "25-19" or "SA 25-12") to the bills that took that number; numbers repeat in special sessions."""
    found: dict[tuple[str, str], list[BillKey]] = {}
    rows = select(Bill.session, Bill.identifier, Bill.act).where(Bill.act.is_not(None))
    for year, identifier, act in session.execute(rows):
        found.setdefault((year, str(act)), []).append(BillKey(year, identifier))
    return found


def count_in_stages(session: Session, year: str, stages: Collection[str]) -> int:
    """How many watched bills of a session are in one of these stages."""
    watched = select(Watch.bill_id).where(Watch.active, Watch.bill_id.is_not(None))
    rows = select(func.count(Bill.id)).where(Bill.session == year, Bill.stage.in_(stages), Bill.id.in_(watched))
    return session.scalar(rows) or 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A document or entry that a watched page or feed listed."""

    title: str
    url: str
    first_seen_at: datetime
    watch_id: str
    kind: str


#: So many documents are shown of one issue.
_LISTED = 200


def publications_of_issue(session: Session, issue_id: str) -> list[Listed]:
    """Newest first; the watch says whether a title concerns the issue."""
    rows = (
        select(Publication.title, Publication.url, Publication.first_seen_at, Watch.id, Source.kind)
        .join(Source, Publication.source_id == Source.id)
        .join(Watch, Watch.source_id == Source.id)
        .where(Watch.issue_id == issue_id, Watch.active)
        .order_by(Publication.first_seen_at.desc(), Publication.id.desc())
        .limit(_LISTED)
    )
    return [Listed(*row) for row in session.execute(rows)]


@dataclass(frozen=True, slots=True)
class Notice:
    """A row that announces a hearing. ``changes``: how often such rows of its bill changed since it was first seen."""

    action_id: int
    bill_id: int
    key: BillKey
    title: str
    on: date
    description: str
    first_seen_at: datetime
    is_gone: bool
    changes: int
    changed_at: datetime


_SAYS_HEARING = Action.description.ilike("%public hearing %")
_HEARING_CHANGES = (ChangeKind.ACTION_AMENDED, ChangeKind.ACTION_REMOVED)


def hearing_notices(session: Session, bill_ids: Collection[int] | None = None) -> list[Notice]:
    """Every row of a watched bill that announces a hearing, those that were taken back too, by their first sight."""
    watched = select(Watch.bill_id).where(Watch.active, Watch.bill_id.is_not(None))
    rows = (
        select(Action, Bill)
        .join(Bill, Action.bill_id == Bill.id)
        .where(_SAYS_HEARING, Bill.id.in_(watched if bill_ids is None else list(bill_ids)))
        .order_by(Action.id)
    )
    found = [(action, bill) for action, bill in session.execute(rows)]
    moved = _hearing_changes(session, bill_ids)
    return [_notice(action, bill, moved.get(bill.id, [])) for action, bill in found]


def _notice(action: Action, bill: Bill, changed: list[datetime]) -> Notice:
    since = [moment for moment in changed if moment > action.first_seen_at]
    changed_at = max(since, default=action.first_seen_at)
    seen = action.first_seen_at
    said = action.date, action.description, seen, action.gone
    return Notice(action.id, bill.id, bill.key, bill.title, *said, len(since), changed_at)


def _hearing_changes(session: Session, bill_ids: Collection[int] | None) -> dict[int, list[datetime]]:
    """When such rows changed, by bill: of these bills, which an index finds, or, for the calendar, of all."""
    says = or_(*(column.ilike("%public hearing %") for column in (ChangeRow.quote, ChangeRow.before, ChangeRow.after)))
    rows = select(ChangeRow.bill_id, ChangeRow.first_seen_at).where(ChangeRow.kind.in_(_HEARING_CHANGES), says)
    which = ChangeRow.bill_id.is_not(None) if bill_ids is None else ChangeRow.bill_id.in_(list(bill_ids))
    found: dict[int, list[datetime]] = {}
    for bill_id, moment in session.execute(rows.where(which)):
        found.setdefault(int(bill_id or 0), []).append(moment)
    return found


@dataclass(frozen=True, slots=True)
class Unreviewed:
    """Something new in the record that no person has decided on yet."""

    issue_id: str
    is_status: bool
    sentence: str
    first_seen_at: datetime


def unreviewed(session: Session) -> dict[str, list[Unreviewed]]:
    """Pending proposals of status and text by issue: those about the status first, then the newest."""
    rows = (
        select(Proposal.issue_id, Proposal.kind, Proposal.reason, Proposal.created_at)
        .where(
            Proposal.state == ProposalState.PENDING,
            Proposal.kind.in_((ProposalKind.STATUS, ProposalKind.NARRATIVE)),
            Proposal.issue_id.is_not(None),
        )
        .order_by(Proposal.id.desc())
    )
    found: dict[str, list[Unreviewed]] = {}
    for issue_id, kind, reason, created_at in session.execute(rows):
        one = Unreviewed(str(issue_id), kind == ProposalKind.STATUS, reason, created_at)
        found.setdefault(one.issue_id, []).append(one)
    return {issue_id: sorted(waiting, key=lambda one: not one.is_status) for issue_id, waiting in found.items()}
