"""Deliveries → an announcement: the rows of the outbox in a reader's terms."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urljoin

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.messaging import Announcement, AnnouncementKind, Cadence, Item, Quote, Sender
from monitor.model.tracking import ProposalState, Status
from monitor.store.schema import Bill, Delivery, Evidence, Issue, Notice, Proposal, Transition
from monitor.workflow.sync import bill_page_url

_WHY = {
    Cadence.IMMEDIATE: "as soon as a maintainer has approved it",
    Cadence.DAILY: "once a day",
    Cadence.WEEKLY: "once a week",
}


def sender_of(config: Config) -> Sender:
    """Who writes, from config."""
    organization = config.organization
    return Sender(
        organization=organization.name,
        address=str(config.mail.sender if config.mail else organization.contact),
        postal_address=organization.postal_address,
        reply_to=str(organization.contact),
        board_url=str(organization.board_url or ""),
    )


def sources_of(group: Sequence[Delivery]) -> tuple[object, ...]:
    """What ``announcement_of`` makes its words from: equal for all who are told the same."""
    lead = group[0]
    subscription = lead.subscription
    if subscription is None:
        return lead.notice_id, lead.recipient
    told = tuple((one.transition_id, one.created_at) for one in group)
    return told, tuple(subscription.topics), tuple(subscription.issues), subscription.cadence


def announcement_of(config: Config, session: Session, group: Sequence[Delivery]) -> Announcement | None:
    """What one message says: a transition, a digest of several, or a notice to our own people.

    None if the notice tells only of proposals that are settled by now.
    """
    lead = group[0]
    if lead.notice is not None:
        return _notice(config, session, lead.notice, lead.recipient)
    transitions = [delivery.transition for delivery in group if delivery.transition is not None]
    moved = any(one.from_status != one.to_status for one in transitions)
    cadence = Cadence(lead.subscription.cadence) if lead.subscription else Cadence.IMMEDIATE
    return Announcement(
        kind=AnnouncementKind.STATUS if moved else AnnouncementKind.NARRATIVE,
        items=tuple(_transition_item(config, session, one) for one in transitions),
        created_at=max(delivery.created_at for delivery in group),
        why=_why(session, lead, cadence),
        cadence=cadence,
    )


def _why(session: Session, lead: Delivery, cadence: Cadence) -> str:
    subscription = lead.subscription
    chosen = [*(subscription.topics if subscription else ()), *(subscription.issues if subscription else ())]
    names = [issue.name for issue in (session.get(Issue, one) for one in chosen) if issue is not None]
    about = f"about {', '.join(names)}" if names else "on the board"
    return f"You asked to be told of every change {about}, {_WHY[cadence]}."


def _transition_item(config: Config, session: Session, transition: Transition) -> Item:
    issue = transition.issue
    proposal = transition.proposal
    evidence = proposal.evidence if proposal is not None else []
    return Item(
        heading=issue.name,
        issue=issue.name,
        sentence=transition.reason,
        from_status=Status(transition.from_status),
        to_status=Status(transition.to_status),
        quotes=tuple(_quote(config, session, proposal, one) for one in evidence),
        narrative=transition.narrative_after,
        action_url=issue.action_url,
        url=_issue_url(config, issue),
    )


def _issue_url(config: Config, issue: Issue) -> str:
    board = str(config.organization.board_url or "")
    return urljoin(f"{board.rstrip('/')}/", f"issues/{issue.id}") if board else ""


def _quote(config: Config, session: Session, proposal: Proposal | None, evidence: Evidence) -> Quote:
    """A reader is sent to the bill's own page, not to the bulk file that said it first."""
    bill = session.get(Bill, proposal.bill_id) if proposal is not None and proposal.bill_id else None
    url = bill_page_url(config.sources.cga.base_url, bill.key) if bill is not None else evidence.url
    return Quote(evidence.quote, evidence.action_date, url)


def _notice(config: Config, session: Session, notice: Notice, recipient: str) -> Announcement | None:
    kind = AnnouncementKind(notice.kind)
    if kind is AnnouncementKind.PROPOSALS:
        items = tuple(_proposal_item(config, session, row) for row in _waiting(session, notice))
    else:
        items = tuple(Item(**item) for item in notice.items)
    role = recipient.partition(":")[0]
    why = f"You are named as {'an operator' if role == 'operator' else 'a maintainer'} in config.yaml."
    return Announcement(kind=kind, items=items, created_at=notice.created_at, why=why) if items else None


def _waiting(session: Session, notice: Notice) -> list[Proposal]:
    """A proposal superseded or decided before the notice leaves is no news to anybody."""
    rows = select(Proposal).where(Proposal.id.in_(notice.items), Proposal.state == ProposalState.PENDING)
    return list(session.scalars(rows.order_by(Proposal.id)))


def _proposal_item(config: Config, session: Session, proposal: Proposal) -> Item:
    name = proposal.issue.name if proposal.issue is not None else ""
    return Item(
        heading=name or "Needs a look",
        issue=name,
        sentence=proposal.reason,
        from_status=Status(proposal.from_status) if proposal.from_status else None,
        to_status=Status(proposal.to_status) if proposal.to_status else None,
        quotes=tuple(_quote(config, session, proposal, one) for one in proposal.evidence),
        reference=str(proposal.id),
    )
