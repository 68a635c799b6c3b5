"""Corrections: something published was wrong, and the board, its history and everyone who was told say so."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from monitor.interpret.sentences import plain_day
from monitor.model.tracking import Status
from monitor.store import audience, board, outbox
from monitor.store.audience import Follower
from monitor.store.schema import Issue, Transition
from monitor.workflow import audit, since
from monitor.workflow.context import EASTERN, Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.publish import move, queue
from monitor.workflow.review import Refusal, refuse_moved


def correct(
    context: Context,
    transition_id: int,
    by: str,
    reason: str,
    *,
    status: Status | None = None,
    narrative: str | None = None,
    seen: datetime | None = None,
    hold: timedelta = timedelta(0),
) -> Transition:
    """Publish what is right in place of a published move, which stays in the history.

    With neither ``status`` nor ``narrative`` (the issue's whole text) the move is taken back: both are what they were
    before it. With one of them the other stays as it is today. ``reason`` says in a sentence what is right.
    ``seen`` is when the issue as the maintainer saw it had last moved; nothing is sent before ``hold`` is over.
    Raises Refusal without a reason, when the move has been corrected already, when the issue has moved since ``seen``,
    or when the move is to be taken back and the issue has moved since it.
    """
    if not reason.strip():
        raise Refusal("a correction needs a reason: readers are told what is right. Nothing was changed.")
    now = context.now()
    with context.database.transaction() as session:
        wrong = _open(session, transition_id)
        issue = session.get_one(Issue, wrong.issue_id)
        refuse_moved(issue, seen)
        retracts = status is None and narrative is None
        if retracts:
            _refuse_older(session, issue, wrong)
            status, narrative = Status(wrong.from_status), wrong.narrative_before
        right = Transition(bill_id=wrong.bill_id, corrects_id=wrong.id, reason=reason.strip(), decided_by=by, at=now)
        target = status or Status(issue.status)
        held_since = since.corrected(session, context.config, wrong, target, now)
        move(session, issue, right, target, issue.narrative if narrative is None else narrative, held_since)
        queue(session, context.config, right, _audience(session, issue, wrong, retracts), now, hold)
        detail = {"move": wrong.id, "reason": right.reason, "status": target, "narrative": issue.narrative}
        audit.append(session, by, "published correction", f"issue {issue.id}", detail, now)
        killpoint("before_review_commit")
    killpoint("after_review_commit")
    return right


def _open(session: Session, transition_id: int) -> Transition:
    wrong = session.get(Transition, transition_id)
    if wrong is None:
        raise Refusal(f"nothing was published under the number {transition_id}; `monitor history ISSUE` shows what was")
    known = board.correction_of(session, wrong.id)
    if known is not None:
        day = plain_day(known.at.astimezone(EASTERN).date())
        raise Refusal(
            f"{known.decided_by} corrected this on {day}. If that is wrong too, correct the correction, "
            f"number {known.id}. Nothing was changed."
        )
    return wrong


def _refuse_older(session: Session, issue: Issue, wrong: Transition) -> None:
    last = board.last_move(session, issue.id)
    if last is not None and last.id != wrong.id:
        raise Refusal(
            f"{issue.name} has moved since, so it cannot go back to what it was before. Say which status and text "
            "should stand today. Nothing was changed."
        )


def _audience(session: Session, issue: Issue, wrong: Transition, retracts: bool) -> Collection[Follower]:
    """Who follows the issue and who was told what was wrong. Whoever has not heard it yet never will; if all is as it
    was before, there is nothing to tell them. A message that is being retried may have arrived, and so may one that a
    restored database holds."""
    unheard = outbox.unheard(session, wrong.id)
    outbox.cancel_of(session, wrong.id, "it was corrected before it was sent")
    quiet = unheard if retracts else set()
    known = {one.id: one for one in [*audience.of_issue(session, issue), *audience.told_of(session, wrong.id)]}
    return [one for number, one in known.items() if number not in quiet]
