"""What became of a proposal, in words: published, rejected, put off, replaced; and whether it can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from monitor.interpret.sentences import plain_day
from monitor.model.messaging import DeliveryState
from monitor.model.tracking import ProposalState
from monitor.store import board, outbox, proposals
from monitor.store.schema import Proposal, Transition
from monitor.web import words
from monitor.web.queue_view import when
from monitor.workflow.context import EASTERN
from monitor.workflow.undo import GRACE

_DID = {
    ProposalState.APPROVED: "approved",
    ProposalState.AMENDED: "amended and approved",
    ProposalState.REJECTED: "rejected",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it.

    ``did`` and ``reason``: what ``who`` decided, and why if it was rejected. ``can_undo``: it may still be taken back.
    ``corrects``: the published move a correction would correct.
    """

    text: str
    who: str = ""
    did: ProposalState | None = None
    reason: str = ""
    can_undo: bool = False
    corrects: int | None = None
    newer: int | None = None


def read_outcome(session: Session, proposal: Proposal, now: datetime) -> Outcome | None:
    """None while it waits."""
    return _READERS[ProposalState(proposal.state)](session, proposal, now)


def _waits(session: Session, proposal: Proposal, now: datetime) -> Outcome | None:
    until = proposal.postponed_until
    if until is None or until <= words.day(now):
        return None
    return Outcome(f"Put off until {plain_day(until)}. It stays out of the queue until then.", can_undo=True)


def _superseded(session: Session, proposal: Proposal, now: datetime) -> Outcome:
    if proposal.superseded_by is None:
        return Outcome(f"Nobody needs to decide this any more. {proposal.decision_reason}")
    newer = session.get_one(Proposal, proposal.superseded_by)
    return Outcome(f"A newer change replaced this: {newer.reason}", newer=newer.id)


def _rejected(session: Session, proposal: Proposal, now: datetime) -> Outcome:
    text = f"{taken(proposal, now)} The reason: {proposal.decision_reason}"
    return _decided(proposal, text, can_undo=_is_fresh(proposal, now))


def _decided(proposal: Proposal, text: str, *, can_undo: bool = False, corrects: int | None = None) -> Outcome:
    who, did = str(proposal.decided_by), ProposalState(proposal.state)
    return Outcome(text, who, did, proposal.decision_reason, can_undo=can_undo, corrects=corrects)


def _approved(session: Session, proposal: Proposal, now: datetime) -> Outcome:
    transition = proposals.transition_of(session, proposal.id)
    fresh = _is_fresh(proposal, now)
    if transition is None:
        return _decided(proposal, f"{taken(proposal, now)} It published nothing.", can_undo=fresh)
    known = board.corrections(session, transition.id)
    if known:
        return _decided(proposal, _corrected(session, proposal, known, now), corrects=known[-1].id)
    count = outbox.tally(session, transition.id)
    told = count.pop(DeliveryState.SENT, 0)
    begun = outbox.has_begun(session, transition.id)
    text = _published(proposal, transition, count, told, begun or not fresh, now)
    corrects = transition.id if begun or not fresh else None
    return _decided(proposal, text, can_undo=fresh and not begun, corrects=corrects)


def _corrected(session: Session, proposal: Proposal, known: Sequence[Transition], now: datetime) -> str:
    """Every correction with its reason; a wrong one can be corrected before it is sent."""
    said = [f"{one.decided_by} corrected it on {plain_day(words.day(one.at))}: {one.reason}" for one in known]
    newest = known[-1]
    if now - newest.at <= GRACE and not outbox.has_begun(session, newest.id):
        said.append(f"Nothing is sent until {words.plain_time(newest.at + _ceiling(newest.at))}")
    return " ".join([taken(proposal, now), *said])


def _published(
    proposal: Proposal, transition: Transition, count: Mapping[str, int], told: int, is_final: bool, now: datetime
) -> str:
    who = f"by {proposal.decided_by}"
    published = f"Published {when(transition.at, now)} {who}."
    if not is_final:
        return f"{published} Nothing is sent until {words.plain_time(transition.at + _ceiling(transition.at))}"
    waiting = count.get(DeliveryState.PENDING, 0) + count.get(DeliveryState.SENDING, 0)
    more = f", {waiting:,} still to be sent" if waiting else ""
    return f"{published} Sent to {told:,}{more}. To take it back, publish a correction."


def _ceiling(moment: datetime) -> timedelta:
    """To the end of the minute in which the wait is over: clocks on walls show no seconds."""
    over = moment + GRACE
    return GRACE + timedelta(seconds=-over.second % 60)


def taken(proposal: Proposal, now: datetime) -> str:
    """ "Lee approved this at 9:40 a.m." """
    if proposal.decided_at is None or proposal.state not in _DID:
        return ""
    local = proposal.decided_at.astimezone(EASTERN)
    same = local.date() == words.day(now)
    moment = f"at {words.plain_time(local)}" if same else f"on {words.plain_moment(local)}"
    said = f"{proposal.decided_by} {_DID[ProposalState(proposal.state)]} this {moment}"
    return said if said.endswith(".") else f"{said}."


def _is_fresh(proposal: Proposal, now: datetime) -> bool:
    return proposal.decided_at is not None and now - proposal.decided_at <= GRACE


_READERS: Mapping[ProposalState, Callable[[Session, Proposal, datetime], Outcome | None]] = {
    ProposalState.PENDING: _waits,
    ProposalState.SUPERSEDED: _superseded,
    ProposalState.REJECTED: _rejected,
    ProposalState.APPROVED: _approved,
    ProposalState.AMENDED: _approved,
}
