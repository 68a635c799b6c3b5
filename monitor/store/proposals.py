"""Proposals: what waits for a maintainer, and what became of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from monitor.model.tracking import ProposalKind, ProposalState, Status
from monitor.store import board
from monitor.store.schema import ChangeRow, Evidence, Notice, Proposal, Snapshot, Transition


def pending_of(session: Session, issue_id: str | None, subject: str) -> Proposal | None:
    """The one pending proposal about this subject of this issue."""
    return session.scalars(
        select(Proposal).where(
            Proposal.state == ProposalState.PENDING,
            Proposal.subject == subject,
            Proposal.issue_id.is_(None) if issue_id is None else Proposal.issue_id == issue_id,
        )
    ).first()


def newest_pending(session: Session, issue_id: str) -> Proposal | None:
    """What was last proposed for an issue's status or text and waits."""
    rows = select(Proposal).where(
        Proposal.state == ProposalState.PENDING,
        Proposal.issue_id == issue_id,
        Proposal.kind.in_((ProposalKind.STATUS, ProposalKind.NARRATIVE)),
    )
    return session.scalars(rows.order_by(Proposal.id.desc()).limit(1)).first()


def known(session: Session, subject: str) -> Proposal | None:
    """The newest proposal about this subject, decided or not."""
    return session.scalars(select(Proposal).where(Proposal.subject == subject).order_by(Proposal.id.desc())).first()


def supersede(session: Session, old: Proposal, new: Proposal | None, now: datetime, why: str) -> None:
    """Close a pending proposal that a newer one (or a recovered source) has made pointless."""
    old.state = ProposalState.SUPERSEDED
    old.version += 1
    old.superseded_by = new.id if new is not None else None
    old.decided_at = now
    old.decision_reason = why


def evidence_of(session: Session, change: ChangeRow, before: str, after: str) -> Evidence:
    """What proves a change: where it stands, in whose words, since when, and the hash of the saved page."""
    snapshot = session.get(Snapshot, change.snapshot_id) if change.snapshot_id else None
    return Evidence(
        change_id=change.id,
        url=change.url,
        quote=change.quote,
        action_date=change.on,
        first_seen_at=change.first_seen_at,
        snapshot_sha256=snapshot.sha256 if snapshot else None,
        before=change.before or before,
        after=change.after or after,
    )


def copies(evidence: Collection[Evidence]) -> list[Evidence]:
    """The same evidence again, for the proposal that supersedes: nothing proven is lost on the way."""
    fields = ("change_id", "url", "quote", "action_date", "first_seen_at", "snapshot_sha256", "before", "after")
    return [Evidence(**{name: getattr(one, name) for name in fields}) for one in evidence]


#: So many proposals are listed.
_MOST = 1_000


def listing(session: Session, states: Collection[str] | None) -> list[Proposal]:
    """Newest first; ``states`` None means all."""
    rows = select(Proposal).options(selectinload(Proposal.evidence), selectinload(Proposal.issue))
    if states is not None:
        rows = rows.where(Proposal.state.in_(states))
    return list(session.scalars(rows.order_by(Proposal.id.desc()).limit(_MOST)))


def unannounced(session: Session) -> list[Proposal]:
    """Pending proposals the maintainers have not been told of."""
    rows = select(Proposal).where(Proposal.state == ProposalState.PENDING, Proposal.notice_id.is_(None))
    return list(session.scalars(rows.options(selectinload(Proposal.evidence)).order_by(Proposal.id)))


def announced(session: Session, ids: Collection[int], notice: Notice) -> None:
    """Remember by which notice they were told; the first one counts."""
    told = update(Proposal).where(Proposal.id.in_(ids), Proposal.notice_id.is_(None)).values(notice_id=notice.id)
    session.execute(told)


def decide(
    session: Session, proposal_id: int, version: int, state: ProposalState, by: str, reason: str, now: datetime
) -> bool:
    """The conditional update that says who won: True when this decision did."""
    won = session.execute(
        update(Proposal)
        .where(Proposal.id == proposal_id, Proposal.version == version, Proposal.state == ProposalState.PENDING)
        .values(state=state, version=version + 1, decided_at=now, decided_by=by, decision_reason=reason)
        .returning(Proposal.id)
    ).first()
    return won is not None


def last_lift(session: Session, issue_id: str, bill_id: int) -> tuple[Status, Status] | None:
    """From where to where this bill last moved the issue's status, as its corrections have it; None if it did not."""
    rows = select(Transition).where(Transition.issue_id == issue_id, Transition.bill_id == bill_id)
    lifts: dict[int, tuple[Status, Status]] = {}
    for move in session.scalars(rows.order_by(Transition.id.desc())).all():
        if move.from_status != move.to_status:
            root = board.lineage(session, move)[-1]
            lifts.setdefault(root.id, (Status(root.from_status), Status(move.to_status)))
    return next((lift for lift in lifts.values() if lift[0] != lift[1]), None)


def transition_of(session: Session, proposal_id: int) -> Transition | None:
    """The move that approving this proposal published."""
    return session.scalars(select(Transition).where(Transition.proposal_id == proposal_id)).first()


def is_postponed(proposal: Proposal, today: date) -> bool:
    """Whether it is put off until a day to come."""
    return proposal.postponed_until is not None and proposal.postponed_until > today
