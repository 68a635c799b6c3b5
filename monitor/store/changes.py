"""What became different on watched bills, for those who are told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.model.tracking import ChangeKind
from monitor.store.database import chunks
from monitor.store.schema import ChangeRow, Evidence, Issue, Topic, Watch


def of_ids(session: Session, ids: Collection[int]) -> list[ChangeRow]:
    """In the order they happened: a bill's rows by their own dates."""
    rows = (select(ChangeRow).where(ChangeRow.id.in_(some)) for some in chunks(ids))
    found = [row for one in rows for row in session.scalars(one)]
    return sorted(found, key=lambda one: (one.on is None, one.on, one.id))


def issues_of_bills(session: Session, bill_ids: Collection[int]) -> dict[int, list[Issue]]:
    """For each bill the active issues that watch it, in the board's order."""
    found = dict[int, list[Issue]]()
    for some in chunks(bill_ids):
        rows = (
            select(Watch.bill_id, Issue)
            .join(Issue, Watch.issue_id == Issue.id)
            .join(Topic, Issue.topic_id == Topic.id)
            .where(Watch.bill_id.in_(some), Watch.active, Issue.active)
            .order_by(Topic.position, Issue.position)
        )
        for bill_id, issue in session.execute(rows):
            known = found.setdefault(int(bill_id or 0), [])
            known += [issue] if issue not in known else []
    return found


def proving(session: Session, proposal_ids: Collection[int]) -> set[int]:
    """The changes that these proposals cite as evidence."""
    rows = select(Evidence.change_id).where(Evidence.proposal_id.in_(proposal_ids), Evidence.change_id.is_not(None))
    return {int(one) for one in session.scalars(rows) if one is not None}


def places_since(session: Session, moment: datetime) -> Collection[set[tuple[str, str]]]:
    """For each new action first seen after a moment the active issues that watch its bill, each with its topic."""
    rows = (
        select(ChangeRow.id, Issue.id, Issue.topic_id)
        .join(Watch, Watch.bill_id == ChangeRow.bill_id)
        .join(Issue, Watch.issue_id == Issue.id)
        .where(ChangeRow.kind == ChangeKind.ACTION, ChangeRow.first_seen_at > moment, Watch.active, Issue.active)
    )
    found: dict[int, set[tuple[str, str]]] = {}
    for number, issue, topic in session.execute(rows):
        found.setdefault(number, set()).add((issue, topic))
    return found.values()


def newest(session: Session, issue_id: str, most: int) -> list[ChangeRow]:
    """The last new actions of an issue's bills, oldest first."""
    watched = select(Watch.bill_id).where(Watch.active, Watch.issue_id == issue_id, Watch.bill_id.is_not(None))
    rows = select(ChangeRow).where(ChangeRow.kind == ChangeKind.ACTION, ChangeRow.bill_id.in_(watched))
    return list(session.scalars(rows.order_by(ChangeRow.id.desc()).limit(most)))[::-1]
