"""Changes → proposals, inside the transaction that records them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from monitor.interpret import status as interpret
from monitor.model.legislature import StageReading
from monitor.model.tracking import Direction, Effect, Milestone, ProposalKind, Status, Suggestion
from monitor.store import proposals, sources
from monitor.store.schema import Bill, ChangeRow, Evidence, Issue, Proposal, Source, Watch

Policy = Mapping[Milestone, str]

#: Whether a title listed by a source is about what this watch (by its id) is for.
Concerns = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class News:
    """What is new about one bill: its milestones, its stage before and now, and what proves it."""

    events: Sequence[interpret.Event]
    before: StageReading | None
    now: StageReading
    evidence: Sequence[Evidence]


def bill_subject(bill: Bill) -> str:
    return f"bill:{bill.session}-{bill.identifier}"


def about_bill(session: Session, policy: Policy, bill: Bill, news: News, now: datetime) -> list[Proposal]:
    """One proposal for each issue the news matters to; it replaces the issue's pending one for this bill."""
    made = []
    for watch in sources.watches_of_bill(session, bill.id):
        pending = proposals.pending_of(session, watch.issue_id, bill_subject(bill))
        suggestion = _suggest(session, policy, watch, bill, news, pending)
        if suggestion is not None:
            evidence = _with_pending(news.evidence, pending)
            made.append(_put(session, watch.issue, suggestion, bill_subject(bill), evidence, pending, now, bill=bill))
        elif pending is not None and pending.kind == ProposalKind.STATUS:
            _withdraw_unless_true(session, watch, bill, news, pending, now)
    return made


def _withdraw_unless_true(
    session: Session, watch: Watch, bill: Bill, news: News, pending: Proposal, now: datetime
) -> None:
    """A status nobody has decided on yet goes when the bill's history no longer speaks for it, whatever the policy."""
    if interpret.target_status(news.now, _standing(session, watch, bill)) != pending.to_status:
        proposals.supersede(session, pending, None, now, f"The record no longer supports it: {news.now.reason}")


def _suggest(
    session: Session, policy: Policy, watch: Watch, bill: Bill, news: News, pending: Proposal | None
) -> Suggestion | None:
    standing = _standing(session, watch, bill)
    suggestion = interpret.suggest(news.events, news.now, standing, policy)
    if suggestion is None or suggestion.kind is ProposalKind.STATUS or pending is None:
        return suggestion
    # A pending status outlives lesser news while the bill's whole history still speaks for it.
    target = interpret.target_status(news.now, standing)
    if pending.kind == ProposalKind.STATUS and target is not None and target != standing.status:
        reason = f"{pending.reason} {suggestion.reason}"
        return Suggestion(ProposalKind.STATUS, reason, pending.narrative, target)
    return suggestion


def _standing(session: Session, watch: Watch, bill: Bill) -> interpret.Standing:
    status = Status(watch.issue.status)
    lift = proposals.last_lift(session, watch.issue_id, bill.id)
    lifted_from = None
    if lift is not None and lift[1] == status:
        rose = status.rank > lift[0].rank
        if rose == (watch.direction == Direction.ADVANCES):
            lifted_from = lift[0]
    return interpret.Standing(status, Direction(watch.direction), Effect(watch.effect), lifted_from)


def _with_pending(fresh: Sequence[Evidence], pending: Proposal | None) -> list[Evidence]:
    """Nothing that a superseded proposal had proven is lost."""
    return proposals.copies([*fresh, *(pending.evidence if pending is not None else [])])


def _put(
    session: Session,
    issue: Issue | None,
    suggestion: Suggestion,
    subject: str,
    evidence: Sequence[Evidence],
    pending: Proposal | None,
    now: datetime,
    *,
    bill: Bill | None = None,
    source: Source | None = None,
) -> Proposal:
    proposal = Proposal(
        kind=suggestion.kind,
        state="pending",
        version=1,
        issue_id=issue.id if issue else None,
        bill_id=bill.id if bill else None,
        source_id=source.id if source else None,
        subject=subject,
        from_status=issue.status if issue else None,
        to_status=suggestion.to_status or (issue.status if issue else None),
        reason=suggestion.reason,
        narrative=suggestion.narrative,
        created_at=now,
        evidence=list(evidence),
    )
    session.add(proposal)
    session.flush()
    if pending is not None:
        proposals.supersede(session, pending, proposal, now, f"A newer change replaced this: proposal {proposal.id}.")
    return proposal


def about_publications(
    session: Session,
    policy: Policy,
    concerns: Concerns,
    source: Source,
    page_title: str,
    changes: Sequence[ChangeRow],
    now: datetime,
) -> list[Proposal]:
    """New documents or feed entries: the narrative of every issue they concern may be behind."""
    subject = f"source:{source.slug}"
    made = []
    for watch in sources.watches_of_source(session, source.id):
        ours = [change for change in changes if concerns(watch.id, change.quote)]
        events = [interpret.report_event(change.quote, page_title) for change in ours]
        standing = interpret.Standing(Status(watch.issue.status), Direction(watch.direction), Effect.NONE)
        suggestion = interpret.suggest(events, None, standing, policy)
        if suggestion is not None:
            pending = proposals.pending_of(session, watch.issue_id, subject)
            suggestion = _with_earlier_reports(suggestion, events, pending)
            fresh = [proposals.evidence_of(session, change, "", change.quote) for change in ours]
            evidence = _with_pending(fresh, pending)
            made.append(_put(session, watch.issue, suggestion, subject, evidence, pending, now, source=source))
    return made


def _with_earlier_reports(
    suggestion: Suggestion, events: Sequence[interpret.Event], pending: Proposal | None
) -> Suggestion:
    """One report does not replace another: every one that waits is named, the earlier first."""
    sentences = [event.sentence for event in events]
    earlier = (pending.reason, pending.narrative) if pending is not None else ("", "")
    reason, narrative = (" ".join(filter(None, [text, *sentences])) for text in earlier)
    return replace(suggestion, reason=reason, narrative=narrative)


def review(
    session: Session,
    subject: str,
    reason: str,
    evidence: Sequence[Evidence],
    now: datetime,
    *,
    bill: Bill | None = None,
    source: Source | None = None,
) -> Proposal | None:
    """Something only a person can settle. Said once: a subject that is pending or was decided stays quiet."""
    if proposals.known(session, subject) is not None:
        return None
    issue = _first_issue(session, bill, source)
    suggestion = Suggestion(ProposalKind.REVIEW, reason)
    return _put(session, issue, suggestion, subject, evidence, None, now, bill=bill, source=source)


def _first_issue(session: Session, bill: Bill | None, source: Source | None) -> Issue | None:
    watches = sources.watches_of_bill(session, bill.id) if bill is not None else []
    if not watches and source is not None:
        watches = sources.watches_of_source(session, source.id)
    return watches[0].issue if watches else None


def unknown_phrases(
    session: Session, bill: Bill, source: Source, changes: Sequence[ChangeRow], now: datetime
) -> list[Proposal]:
    """A wording no row of the phrase table answers must reach a person, never a default."""
    made = []
    for change in changes:
        if change.phrase == "unclassified":
            reason = f"Unknown phrase in {bill.key.label}: “{change.quote}”. Which stage does it mean?"
            subject = f"phrase:{bill.session}-{bill.identifier}:{change.on}:{change.quote}"
            evidence = [proposals.evidence_of(session, change, "", "")]
            made.append(review(session, subject, reason, evidence, now, bill=bill, source=source))
    return [proposal for proposal in made if proposal is not None]
