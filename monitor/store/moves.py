"""Published moves and what proves them, as the public may read them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from monitor.store.schema import Evidence, Issue, Proposal, Snapshot, Transition

#: So many moves are looked at.
MOST = 1_000


def published(session: Session, issue_id: str | None = None, limit: int = MOST) -> list[Transition]:
    """The newest moves of one issue or of the whole board, newest first, with evidence and issue."""
    rows = (
        select(Transition)
        .join(Issue, Transition.issue_id == Issue.id)
        .where(Issue.active)
        .options(
            joinedload(Transition.issue),
            joinedload(Transition.proposal).selectinload(Proposal.evidence),
        )
        .order_by(Transition.id.desc())
        .limit(limit)
    )
    return list(session.scalars(rows if issue_id is None else rows.where(Transition.issue_id == issue_id)))


def last_moved(session: Session) -> dict[str, datetime]:
    """For each issue that ever moved, when something was last published of it."""
    rows = select(Transition.issue_id, func.max(Transition.at)).group_by(Transition.issue_id)
    return dict(session.execute(rows).all())


def _is_cited() -> ColumnElement[bool]:
    """A saved page that the evidence of a published move names."""
    return Snapshot.sha256.in_(
        select(Evidence.snapshot_sha256)
        .join(Transition, Transition.proposal_id == Evidence.proposal_id)
        .where(Evidence.snapshot_sha256.is_not(None))
    )


def cited_snapshot(session: Session, sha256: str) -> Snapshot | None:
    """The saved page of that hash, if a published move rests on it; every other one is not for the public."""
    rows = select(Snapshot).where(Snapshot.sha256 == sha256, _is_cited()).order_by(Snapshot.id).limit(1)
    return session.scalars(rows).first()
