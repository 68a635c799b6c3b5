"""Deliveries → an announcement: the rows of the outbox in a reader's terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.messaging import Announcement, AnnouncementKind, Cadence, Interest, Item, Quote, Sender
from monitor.model.tracking import ProposalState, Status
from monitor.store import bills, changes, outbox
from monitor.store.schema import Bill, Delivery, Evidence, Issue, Notice, Proposal, Subscription, Topic, Transition
from monitor.workflow import announce_confirm
from monitor.workflow.addresses import issue_url
from monitor.workflow.announce_facts import because, comes_next, facts_of
from monitor.workflow.sync import bill_page_url

_WHY = {
    Cadence.IMMEDIATE: "as soon as a maintainer has approved it",
    Cadence.DAILY: "once a day",
    Cadence.WEEKLY: "once a week",
}


_PACE = {
    Cadence.IMMEDIATE: "as it becomes known",
    Cadence.DAILY: "once a day",
    Cadence.WEEKLY: "once a week",
}
_REGULAR = {Interest.STATUS, Interest.ACTIVITY}
#: Told without waiting for a digest.
_AT_ONCE = (AnnouncementKind.HEARING, AnnouncementKind.HEARTBEAT)


def sender_of(config: Config) -> Sender:
    """Who writes, from config."""
    organization = config.organization
    return Sender(
        organization=organization.name,
        address=str(config.mail.sender if config.mail else organization.contact),
        postal_address=organization.postal_address,
        reply_to=str(organization.contact),
        board_url=str(organization.board_url or ""),
        alerts_url=config.alerts_url,
    )


def sources_of(group: Sequence[Delivery]) -> tuple[object, ...]:
    """What ``announcement_of`` makes its words from: equal for all who are told the same."""
    lead = group[0]
    reader = lead.subscription
    if reader is None:
        return lead.notice_id, lead.recipient
    told = tuple((one.transition_id, one.notice_id, one.created_at) for one in group)
    return told, tuple(reader.topics), tuple(reader.issues), tuple(reader.interests), reader.cadence


def announcement_of(config: Config, session: Session, group: Sequence[Delivery], today: date) -> Announcement | None:
    """What one message says ``today``: a fact, a digest of several, or a notice to our own people.

    None if what it would tell of is settled by now.
    """
    lead = group[0]
    if lead.subscription is None:
        return _notice(config, session, lead.notice, lead.recipient) if lead.notice is not None else None
    transitions = [one.transition for one in group if one.transition is not None]
    notices = [one.notice for one in group if one.notice is not None]
    told = compose(config, session, transitions, notices, lead.subscription, today)
    return replace(told, created_at=max(one.created_at for one in group)) if told is not None else None


def compose(
    config: Config,
    session: Session,
    transitions: Sequence[Transition],
    notices: Sequence[Notice],
    reader: Subscription,
    today: date | None = None,
) -> Announcement | None:
    """One message for ``reader``: what maintainers approved, then hearings, then the record's other facts.

    An action that proves an approved change is not told again; that nothing changed is told alone.
    """
    moves = [_told_move(config, session, one, reader) for one in transitions]
    proving = changes.proving(session, [one.proposal_id for one in transitions if one.proposal_id is not None])
    facts = facts_of(config, session, notices, reader, proving, today)
    items = (*moves, *facts.items) or tuple(_stored(notices))
    if not items:
        return None
    issues = {one.issue_id for one in transitions} | facts.issues
    urgent = all(one.kind in _AT_ONCE for one in items)
    return Announcement(
        kind=_kind(transitions) if transitions else items[0].kind or AnnouncementKind.ACTIVITY,
        items=items,
        created_at=max([*(one.at for one in transitions), *(one.created_at for one in notices)]),
        why=why(session, reader),
        cadence=Cadence.IMMEDIATE if urgent else Cadence(reader.cadence),
        attachments=facts.attachments,
        thread=next(iter(issues)) if len(issues) == 1 else "",
    )


def _told_move(config: Config, session: Session, transition: Transition, reader: Subscription) -> Item:
    return replace(_transition_item(config, session, transition), because=because(reader, [transition.issue]))


def _stored(notices: Sequence[Notice]) -> Iterator[Item]:
    for one in notices:
        if one.kind == AnnouncementKind.HEARTBEAT:
            yield from (Item(kind=AnnouncementKind.HEARTBEAT, **item) for item in one.items)


def _kind(transitions: Sequence[Transition]) -> AnnouncementKind:
    if all(one.corrects_id is not None for one in transitions):
        return AnnouncementKind.CORRECTION
    moved = any(one.from_status != one.to_status for one in transitions)
    return AnnouncementKind.STATUS if moved else AnnouncementKind.NARRATIVE


def preview(
    config: Config, session: Session, proposal: Proposal, status: Status, narrative: str, now: datetime
) -> Announcement:
    """What approving ``proposal`` now, with this ``status`` and ``narrative``, would tell who is told at once."""
    issue = session.get_one(Issue, proposal.issue_id)
    move = Transition(
        issue_id=issue.id,
        from_status=issue.status,
        to_status=status,
        narrative_before=issue.narrative,
        narrative_after=narrative,
        reason=proposal.reason,
        at=now,
    )
    move.issue, move.proposal = issue, proposal
    everyone = Subscription(topics=[], issues=[], interests=[Interest.STATUS], cadence=Cadence.IMMEDIATE)
    return Announcement(_kind([move]), (_transition_item(config, session, move),), now, why(session, everyone))


def why(session: Session, reader: Subscription) -> str:
    """What the reader asked for, in a sentence."""
    chosen = [session.get(Topic, one) for one in reader.topics] + [session.get(Issue, one) for one in reader.issues]
    names = [one.name for one in chosen if one is not None]
    about = f"about {', '.join(names)}" if names else "on the board"
    clauses = list(_clauses({Interest(one) for one in reader.interests}, about, Cadence(reader.cadence)))
    return f"You asked to be told {', '.join(clauses[:-1])}{' and ' if clauses[1:] else ''}{clauses[-1]}."


def _clauses(interests: Set[Interest], about: str, cadence: Cadence) -> Iterator[str]:
    if Interest.ACTIVITY in interests:
        both = "every change and of new actions on bills" if Interest.STATUS in interests else "new actions on bills"
        yield f"of {both} {about}, {_PACE[cadence]}"
    elif Interest.STATUS in interests or not interests:
        yield f"of every change {about}, {_WHY[cadence]}"
    if Interest.HEARINGS in interests:
        yield "of hearings at once" if interests & _REGULAR else f"of hearings {about} at once"
    if Interest.HEARTBEAT in interests:
        yield "once a week in session that nothing changed"


def _transition_item(config: Config, session: Session, transition: Transition) -> Item:
    wrong = session.get(Transition, transition.corrects_id) if transition.corrects_id else None
    if wrong is not None:
        return _correction_item(config, transition, wrong)
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
        url=issue_url(config, issue),
        comes_next=_comes_next(session, proposal),
    )


def _comes_next(session: Session, proposal: Proposal | None) -> str:
    bill = session.get(Bill, proposal.bill_id) if proposal is not None and proposal.bill_id else None
    return comes_next(bill, bills.histories(session, [bill.id])[bill.id]) if bill is not None else ""


def _correction_item(config: Config, right: Transition, wrong: Transition) -> Item:
    issue = right.issue
    return Item(
        heading="Correction",
        issue=issue.name,
        said=wrong.reason,
        sentence=right.reason,
        from_status=Status(right.from_status),
        to_status=Status(right.to_status),
        narrative=right.narrative_after,
        url=issue_url(config, issue),
    )


def corrected_message(session: Session, group: Sequence[Delivery]) -> str:
    """The key of the message that a correction answers: what told this subscriber the wrong thing, if it was sent."""
    lead = group[0]
    if len(group) > 1 or lead.transition is None or lead.transition.corrects_id is None or lead.subscription is None:
        return ""
    earlier = outbox.sent_to(session, lead.transition.corrects_id, lead.subscription.id)
    return (earlier.message_key or earlier.id) if earlier is not None else ""


def _quote(config: Config, session: Session, proposal: Proposal | None, evidence: Evidence) -> Quote:
    """A reader is sent to the bill's own page, not to the bulk file that said it first."""
    bill = session.get(Bill, proposal.bill_id) if proposal is not None and proposal.bill_id else None
    url = bill_page_url(config.sources.cga.base_url, bill.key) if bill is not None else evidence.url
    return Quote(evidence.quote, evidence.action_date, url)


def _notice(config: Config, session: Session, notice: Notice, recipient: str) -> Announcement | None:
    kind = AnnouncementKind(notice.kind)
    if kind is AnnouncementKind.CONFIRM:
        return announce_confirm.announcement(config, session, notice)
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
