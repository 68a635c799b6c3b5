"""Deciding on a proposal: approve, amend, reject or postpone. One transaction, one winner."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from monitor.extract.registry import EXTRACTORS
from monitor.interpret.sentences import plain_day
from monitor.model.tracking import ProposalKind, ProposalState, SourceKind, Status
from monitor.store import proposals, snapshots
from monitor.store.schema import Issue, Proposal, Snapshot, Source, Transition
from monitor.workflow import audit, since
from monitor.workflow.context import EASTERN, Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.publish import publish


class Refusal(Exception):
    """The decision was not taken, and why; nothing has changed."""


def approve(
    context: Context,
    proposal_id: int,
    by: str,
    *,
    status: Status | None = None,
    narrative: str | None = None,
    version: int | None = None,
    seen: datetime | None = None,
    hold: timedelta = timedelta(0),
) -> Transition | None:
    """Publish a proposal, as it stands or amended by another ``status`` or ``narrative`` (the issue's whole text).

    Returns the transition, or None for a review proposal, which publishes nothing. ``version`` is the one the
    maintainer saw, ``seen`` when the issue as they saw it had last moved; nothing is sent before ``hold`` is over.
    Raises Refusal when somebody or something was faster, or the proposal does not fit any more.
    """
    now = context.now()
    with context.database.transaction() as session:
        proposal = _open(session, proposal_id, version)
        amended = status is not None or narrative is not None
        state = ProposalState.AMENDED if amended else ProposalState.APPROVED
        if proposal.kind == ProposalKind.REVIEW:
            _refuse_amendment(proposal, amended)
            _take(session, proposal, state, by, "", now)
            _accept_page(session, proposal)
            transition = None
            note(session, proposal, by, now)
        else:
            issue = session.get_one(Issue, proposal.issue_id)
            refuse_moved(issue, seen)
            target = status or _still_fitting(proposal, issue)
            text = narrative if narrative is not None else with_sentence(issue.narrative, proposal.narrative)
            _take(session, proposal, state, by, "", now)
            transition = publish(
                session,
                context.config,
                proposal,
                to_status=target,
                narrative=text,
                since=since.proven(proposal, now),
                by=by,
                now=now,
                hold=hold,
            )
            note(session, proposal, by, now, status=target, narrative=text)
        killpoint("before_review_commit")
    killpoint("after_review_commit")
    return transition


def reject(context: Context, proposal_id: int, by: str, reason: str, *, version: int | None = None) -> None:
    """Close a proposal without publishing anything. Raises Refusal; a reason is required."""
    if not reason.strip():
        raise Refusal("a rejection needs a reason: the next maintainer will want to know why. Nothing was changed.")
    now = context.now()
    with context.database.transaction() as session:
        proposal = _open(session, proposal_id, version)
        _take(session, proposal, ProposalState.REJECTED, by, reason.strip(), now)
        note(session, proposal, by, now, reason=reason.strip())
        killpoint("before_review_commit")
    killpoint("after_review_commit")


def postpone(context: Context, proposal_id: int, by: str, until: date, *, version: int | None = None) -> None:
    """Keep a proposal out of the queue until a day to come. It stays pending, and a newer one replaces it all the same.

    Raises Refusal when it is not pending any more, or the day is not to come.
    """
    now = context.now()
    if until <= context.today():
        raise Refusal(f"{plain_day(until)} is not to come; name a later day. Nothing was changed.")
    with context.database.transaction() as session:
        proposal = _open(session, proposal_id, version)
        proposal.postponed_until = until
        proposal.version += 1
        note(session, proposal, by, now, did="postponed", until=until.isoformat())
        killpoint("before_review_commit")
    killpoint("after_review_commit")


def with_sentence(narrative: str, sentence: str) -> str:
    """The issue's text with the suggested sentence at its end, once."""
    if not sentence or sentence in narrative:
        return narrative
    return f"{narrative.rstrip()} {sentence}".strip()


def _open(session: Session, proposal_id: int, version: int | None) -> Proposal:
    proposal = session.get(Proposal, proposal_id)
    if proposal is None:
        raise Refusal(f"there is no proposal {proposal_id}; `monitor proposals list` shows what waits")
    if proposal.state != ProposalState.PENDING:
        raise Refusal(_taken(proposal))
    refuse_changed(proposal, version)
    return proposal


def refuse_changed(proposal: Proposal, version: int | None) -> None:
    """Raises Refusal when ``version``, the one somebody saw, is not the proposal's any more."""
    if version is not None and proposal.version != version:
        raise Refusal(f"proposal {proposal.id} has changed since you read it; look at it again. Nothing was changed.")


def _taken(proposal: Proposal) -> str:
    """Who was faster, and when; or what took this proposal's place."""
    if proposal.state == ProposalState.SUPERSEDED:
        newer = f"; decide on proposal {proposal.superseded_by} instead" if proposal.superseded_by else ""
        return f"proposal {proposal.id} is superseded{newer}. {proposal.decision_reason} Nothing was changed."
    when = f"{proposal.decided_at.astimezone(EASTERN):%B %-d, %Y at %-I:%M %p}" if proposal.decided_at else "earlier"
    return f"{proposal.decided_by} {proposal.state} proposal {proposal.id} on {when} Eastern. Nothing was changed."


def _take(session: Session, proposal: Proposal, state: ProposalState, by: str, reason: str, now: datetime) -> None:
    if not proposals.decide(session, proposal.id, proposal.version, state, by, reason, now):
        session.refresh(proposal)
        raise Refusal(_taken(proposal))


def refuse_moved(issue: Issue, seen: datetime | None) -> None:
    """Raises Refusal when the issue has moved since ``seen``, when it had last moved on the page somebody read."""
    if seen is not None and issue.updated_at != seen:
        raise moved_since(issue.name)


def moved_since(issue: str) -> Refusal:
    """What is said of a page that shows an issue as it was."""
    return Refusal(
        f"{issue} has moved since you opened this page: another change of it was published. Look at what "
        "the board says now. Nothing was changed."
    )


def note(session: Session, proposal: Proposal, by: str, now: datetime, *, did: str = "", **detail: str) -> None:
    """The audit log's line on what was done with a proposal: by default what its state says."""
    issue = {"issue": proposal.issue_id} if proposal.issue_id else {}
    audit.append(session, by, f"{did or proposal.state} proposal", f"proposal {proposal.id}", {**issue, **detail}, now)


def _still_fitting(proposal: Proposal, issue: Issue) -> Status:
    if proposal.kind == ProposalKind.NARRATIVE:
        return Status(issue.status)
    if issue.status != proposal.from_status:
        was, now = Status(str(proposal.from_status)).label, Status(issue.status).label
        raise Refusal(
            f"{issue.name} moved from {was} to {now} since proposal {proposal.id} was made. Say with --status "
            "which status should stand, or reject the proposal. Nothing was changed."
        )
    return Status(str(proposal.to_status))


def _refuse_amendment(proposal: Proposal, amended: bool) -> None:
    if amended:
        raise Refusal(
            f"proposal {proposal.id} asks for a look and suggests no status or text; approve it as it is once "
            "you have looked, or reject it. Nothing was changed."
        )


def accepted_source(session: Session, proposal: Proposal) -> Source | None:
    """The source whose page an approval of ``proposal`` accepts; None if it is about something else."""
    source = session.get(Source, proposal.source_id) if proposal.source_id else None
    return source if source is not None and proposal.subject.startswith(f"quarantine:{source.slug}:") else None


def _accept_page(session: Session, proposal: Proposal) -> None:
    """Approving a quarantined page says that it is right: the next read that shows the same is believed."""
    source = accepted_source(session, proposal)
    hashes = [evidence.snapshot_sha256 for evidence in proposal.evidence if evidence.snapshot_sha256]
    if source is None or not hashes:
        return
    snapshot = session.query(Snapshot).filter_by(source_id=source.id, sha256=hashes[-1]).first()
    if snapshot is not None:
        body = snapshots.body_of(session, snapshot.id)
        source.accepted_fingerprint = EXTRACTORS[SourceKind(source.kind)].fingerprint(body)
        source.next_check_at = proposal.decided_at
