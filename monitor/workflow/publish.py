"""A decision becomes a published move and the deliveries that tell it: the outbox, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.tracking import Status
from monitor.store import audience as followers
from monitor.store import outbox
from monitor.store.audience import Follower
from monitor.store.schema import Issue, Proposal, Transition
from monitor.workflow import pace


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
    hold: timedelta = timedelta(0),
) -> Transition:
    """Move the issue, remember the move, and queue a delivery for everyone who asked to hear of it.

    Nothing leaves before ``hold`` is over.
    """
    issue = session.get_one(Issue, proposal.issue_id)
    transition = Transition(
        proposal_id=proposal.id, bill_id=proposal.bill_id, reason=proposal.reason, decided_by=by, at=now
    )
    move(session, issue, transition, to_status, narrative, since)
    queue(session, config, transition, followers.of_issue(session, issue), now, hold)
    return transition


def move(
    session: Session, issue: Issue, transition: Transition, to_status: Status, narrative: str, since: date | None
) -> None:
    """Put the issue where ``transition`` takes it, and write down where it stood."""
    transition.issue_id = issue.id
    transition.from_status, transition.to_status = issue.status, to_status
    transition.narrative_before, transition.narrative_after = issue.narrative, narrative
    transition.since_before, transition.updated_before = issue.status_since, issue.updated_at
    session.add(transition)
    session.flush()
    if issue.status != to_status:
        issue.status, issue.status_since = to_status, since
    issue.narrative, issue.updated_at = narrative, transition.at


def queue(
    session: Session,
    config: Config,
    transition: Transition,
    audience: Iterable[Follower],
    now: datetime,
    hold: timedelta = timedelta(0),
) -> None:
    """A delivery for each of ``audience``, due when their choice says once ``hold`` is over.

    In the transaction that publishes: a crash leaves both or neither, so that nothing has to be taken up again.
    """
    due = cache(lambda habit: pace.due_at(config, habit, now + hold))
    rows = (outbox.to_reader(one, now, due(pace.habit_of(one)), transition_id=transition.id) for one in audience)
    outbox.queue(session, rows)
