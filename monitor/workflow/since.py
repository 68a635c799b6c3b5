"""Since when a status has held."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.tracking import Status
from monitor.store import board
from monitor.store.schema import Proposal, Transition
from monitor.workflow.context import EASTERN


def proven(proposal: Proposal | None, at: datetime) -> date:
    """A status holds since the newest action that proves it, not since we noticed; without one since ``at``."""
    evidence = proposal.evidence if proposal is not None else []
    dates = [one.action_date for one in evidence if one.action_date is not None]
    return max(dates, default=at.astimezone(EASTERN).date())


def corrected(session: Session, config: Config, wrong: Transition, status: Status, now: datetime) -> date | None:
    """Since when ``status`` has held that a correction of ``wrong`` publishes.

    One that was only thought to have moved has held since it began; another since what the wrong move told of.
    """
    lineage = board.lineage(session, wrong)
    left = next((one for one in lineage if one.from_status == status), None)
    return _before(session, config, left) if left is not None else proven(lineage[-1].proposal, now)


def _before(session: Session, config: Config, move: Transition) -> date | None:
    if move.updated_before is not None:
        return move.since_before
    # It was published by version 0001 of the schema, which did not write down how the issue stood before.
    arrival = board.arrival(session, move)
    if arrival is not None:
        return proven(arrival.proposal, arrival.at)
    issue = next((one for one in config.issues() if one.id == move.issue_id), None)
    return issue.initial_since if issue is not None and issue.initial_status == move.from_status else None
