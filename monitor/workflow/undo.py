"""Taking a decision back, within a minute and before anybody was told of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from monitor.model.tracking import ProposalState
from monitor.store import board, outbox, proposals
from monitor.store.schema import Issue, Proposal, Source, Transition
from monitor.workflow import pace
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.review import Refusal, accepted_source, note, refuse_changed

#: How long a decision can be taken back.
GRACE = pace.GRACE

_CORRECT = "To take back what it published, publish a correction. Nothing was changed."


def undo(context: Context, proposal_id: int, by: str, *, version: int | None = None) -> Proposal:
    """Make a decided proposal wait again, and the issue stand where it stood; or end a postponement.

    ``version`` is the one the maintainer saw: another decision, made since, is not taken back unseen. Raises Refusal
    then, once a minute is over or anybody was told, or when something else has happened since.
    """
    now = context.now()
    with context.database.transaction() as session:
        proposal = session.get(Proposal, proposal_id)
        if proposal is None:
            raise Refusal(f"there is no proposal {proposal_id}; `monitor proposals list` shows what waits")
        refuse_changed(proposal, version)
        if proposal.state == ProposalState.PENDING:
            _recall(proposal)
        else:
            _reopen(session, proposal, now)
        note(session, proposal, by, now, did="took back")
        killpoint("before_review_commit")
    killpoint("after_review_commit")
    return proposal


def _recall(proposal: Proposal) -> None:
    if proposal.postponed_until is None:
        raise Refusal(f"nobody has decided on proposal {proposal.id} yet. Nothing was changed.")
    proposal.postponed_until = None
    proposal.version += 1


def _reopen(session: Session, proposal: Proposal, now: datetime) -> None:
    _refuse_late(session, proposal, now)
    transition = proposals.transition_of(session, proposal.id)
    if transition is not None:
        _take_back(session, transition)
    source = accepted_source(session, proposal) if proposal.state == ProposalState.APPROVED else None
    if source is not None:
        _doubt_again(source, proposal, now)
    proposal.state = ProposalState.PENDING
    proposal.version += 1
    proposal.decided_at = proposal.decided_by = None
    proposal.decision_reason = ""


def _refuse_late(session: Session, proposal: Proposal, now: datetime) -> None:
    if proposal.state == ProposalState.SUPERSEDED or proposal.decided_at is None:
        raise Refusal(f"proposal {proposal.id} is superseded; nobody decided on it. Nothing was changed.")
    if now - proposal.decided_at > GRACE:
        raise Refusal(f"the minute in which proposal {proposal.id} could be taken back is over. {_CORRECT}")
    newer = proposals.pending_of(session, proposal.issue_id, proposal.subject)
    if newer is not None:
        raise Refusal(f"a newer change came in meanwhile: decide on proposal {newer.id}. {_CORRECT}")


def _take_back(session: Session, transition: Transition) -> None:
    issue = session.get_one(Issue, transition.issue_id)
    last = board.last_move(session, issue.id)
    if last is not None and last.id != transition.id:
        raise Refusal(f"another change of {issue.name} was published meanwhile. {_CORRECT}")
    if not outbox.forget_untold(session, transition.id):
        raise Refusal(f"somebody was told of it already. {_CORRECT}")
    issue.status, issue.narrative = transition.from_status, transition.narrative_before
    issue.status_since = transition.since_before
    issue.updated_at = transition.updated_before or issue.updated_at
    session.delete(transition)


def _doubt_again(source: Source, proposal: Proposal, now: datetime) -> None:
    """The accepted page is believed at the next read: nothing to take back once that has begun."""
    being_read = source.claimed_until is not None and source.claimed_until >= now
    decided_at = proposal.decided_at or now
    if being_read or (source.last_read_at is not None and source.last_read_at > decided_at):
        raise Refusal("the accepted page has been read already, and is believed. Nothing was changed.")
    source.accepted_fingerprint = None
