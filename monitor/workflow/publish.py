"""A decision becomes a published move and the deliveries that tell it: the outbox, in one transaction."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.messaging import Cadence
from monitor.model.tracking import Status
from monitor.store import outbox
from monitor.store.schema import Issue, Proposal, Transition


def publish(
    session: Session,
    config: Config,
    proposal: Proposal,
    *,
    to_status: Status,
    narrative: str,
    since: date,
    by: str,
    now: datetime,
) -> Transition:
    """Move the issue, remember the move, and queue a delivery for everyone who asked to hear of it."""
    issue = session.get_one(Issue, proposal.issue_id)
    transition = Transition(
        issue_id=issue.id,
        proposal_id=proposal.id,
        bill_id=proposal.bill_id,
        from_status=issue.status,
        to_status=to_status,
        narrative_before=issue.narrative,
        narrative_after=narrative,
        reason=proposal.reason,
        decided_by=by,
        at=now,
    )
    session.add(transition)
    session.flush()
    if issue.status != to_status:
        issue.status, issue.status_since = to_status, since
    issue.narrative, issue.updated_at = narrative, now
    _queue(session, config, transition, issue, now)
    return transition


def _queue(session: Session, config: Config, transition: Transition, issue: Issue, now: datetime) -> None:
    due = {cadence: due_at(config, cadence, now) for cadence in Cadence}
    outbox.queue(
        session,
        (
            {
                "id": outbox.new_id(),
                "transition_id": transition.id,
                "subscription_id": one.id,
                "recipient": f"subscription:{one.id}",
                "channel": one.channel,
                "due_at": due[Cadence(one.cadence)],
                "created_at": now,
            }
            for one in outbox.audience(session, issue)
        ),
    )


def due_at(config: Config, cadence: Cadence, now: datetime) -> datetime:
    """When something approved ``now`` reaches a subscriber of this cadence."""
    if cadence is Cadence.IMMEDIATE:
        return now
    line = config.schedule.daily_digest if cadence is Cadence.DAILY else config.schedule.weekly_digest
    return line.next_after(now, config.schedule.zone)
