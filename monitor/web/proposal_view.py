"""One proposal on one page: what changed, what it means, what the public will read, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.orm import Session

from monitor.interpret.sentences import plain_title
from monitor.model.messaging import ChannelKind
from monitor.model.tracking import ProposalKind, ProposalState, Status
from monitor.store import audience, bills, changes, proposals, queue
from monitor.store.queue import Waiting
from monitor.store.schema import Bill, Issue, Proposal, Transition
from monitor.web import words
from monitor.web.evidence_view import EvidenceView, read_evidence
from monitor.web.links import safe
from monitor.web.meaning import Meaning, read_meaning
from monitor.web.outcome import Outcome, read_outcome, taken
from monitor.web.queue_view import KINDS, InQueue, age, issue_name, place_of, sentence
from monitor.web.textdiff import Run
from monitor.web.textdiff import words as word_diff
from monitor.workflow.context import Context
from monitor.workflow.review import accepted_source, with_sentence
from monitor.workflow.sync import bill_page_url


@dataclass(frozen=True, slots=True)
class Subject:
    """What it is about: a bill, or the page it was read on."""

    label: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds: as suggested, or as somebody typed it."""

    status: Status | None
    narrative: str
    reason: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was not done. ``field`` is the one to mend; None when it is nobody's typing."""

    text: str
    field: str = ""
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class ProposalView:
    """The whole page.

    ``seen`` is when the issue as it is shown last moved; ``stands`` is its status today, which may not be ``before``.
    Of what was published ``before`` and ``after`` are what it did, whatever had been suggested;
    ``published`` is its text. ``text_now`` and ``text_then`` are the board's before and after, ``phrase`` the unknown
    phrase it asks about, ``audience`` who would be told.
    """

    id: int
    version: int
    seen: str
    kind: str
    is_pending: bool
    publishes: bool
    accepts_page: bool
    is_postponed: bool
    until: str
    taken: str
    phrase: str
    place: InQueue
    issue: str
    topic: str
    age: str
    before: Status | None
    after: Status | None
    published: str
    stands: Status | None
    sentence: str
    subject: Subject | None
    evidence: EvidenceView
    meaning: Meaning
    text_now: str
    suggested: Draft
    draft: Draft
    text_then: str
    audience: str
    outcome: Outcome | None

    @property
    def moves(self) -> bool:
        return self.before is not self.after

    @property
    def text_diff(self) -> tuple[Run, ...]:
        return word_diff(self.text_now, self.text_then)

    @property
    def is_typed(self) -> bool:
        """Whether the form holds anything that was not suggested."""
        words = (self.draft.narrative, self.suggested.narrative.strip())
        return (words[0] != words[1] and bool(words[0])) or bool(self.draft.reason) or self._is_other_status

    @property
    def _is_other_status(self) -> bool:
        return self.draft.status is not None and self.draft.status is not self.suggested.status

    @property
    def asks(self) -> str:
        """The question of a review, unless its evidence says the same."""
        said = any(quote.text in self.sentence for quote in self.evidence.quotes if not quote.day)
        return "" if self.publishes or said else self.sentence

    def typed(self, draft: Draft) -> ProposalView:
        """The same page with what somebody typed in its form."""
        return replace(self, draft=draft, text_then=draft.narrative if self.is_pending else self.text_then)


def read_proposal(session: Session, context: Context, proposal_id: int) -> ProposalView | None:
    """The page of one proposal; None if there is none of that number."""
    proposal = session.get(Proposal, proposal_id)
    if proposal is None:
        return None
    now, today = context.now(), context.today()
    issue = session.get(Issue, proposal.issue_id) if proposal.issue_id else None
    bill = session.get(Bill, proposal.bill_id) if proposal.bill_id else None
    subject = _subject(context, proposal, bill)
    evidence, meaning = _proof(session, proposal, bill, subject, today)
    draft = suggested(proposal, issue)
    done = proposals.transition_of(session, proposal.id)
    text_now, text_then = _texts(issue, draft, done)
    is_pending = proposal.state == ProposalState.PENDING
    kind, publishes = queue.kind_of(proposal), proposal.kind != ProposalKind.REVIEW
    return ProposalView(
        id=proposal.id,
        version=proposal.version,
        seen=issue.updated_at.isoformat() if issue is not None else "",
        kind=KINDS[kind][0],
        is_pending=is_pending,
        publishes=publishes,
        accepts_page=accepted_source(session, proposal) is not None,
        is_postponed=is_pending and proposals.is_postponed(proposal, today),
        until=proposal.postponed_until.isoformat() if proposal.postponed_until else "",
        taken=taken(proposal, now),
        phrase=proposal.evidence[0].quote if kind is Waiting.PHRASE and proposal.evidence else "",
        place=place_of(queue.order(session, today), proposal.id),
        issue=issue_name(issue),
        topic=issue.topic.name if issue is not None else "",
        age=age(proposal.created_at, now),
        before=_status(done.from_status if done is not None else proposal.from_status),
        after=_status(done.to_status if done is not None else proposal.to_status),
        published=done.narrative_after if done is not None else "",
        stands=Status(issue.status) if issue is not None else None,
        sentence=sentence(proposal),
        subject=subject,
        evidence=evidence,
        meaning=meaning,
        text_now=text_now,
        suggested=draft,
        draft=draft,
        text_then=text_then,
        audience=_audience(session, issue) if is_pending and publishes else "",
        outcome=read_outcome(session, proposal, now),
    )


def _proof(
    session: Session, proposal: Proposal, bill: Bill | None, subject: Subject | None, today: date
) -> tuple[EvidenceView, Meaning]:
    """Both rest on the bill's rows and on the changes that the evidence names."""
    ledger = bills.ledger(session, bill.id) if bill is not None else []
    named = [one.change_id for one in proposal.evidence if one.change_id]
    changed = {one.id: one for one in changes.of_ids(session, named)}
    official = subject.url if bill is not None and subject is not None else ""
    return (
        read_evidence(session, proposal, official, ledger, changed),
        read_meaning(session, proposal, bill, bills.history(ledger), changed, today),
    )


def _texts(issue: Issue | None, draft: Draft, done: Transition | None) -> tuple[str, str]:
    """The board's text before and after: as it would be, or as it was published."""
    if done is not None:
        return done.narrative_before, done.narrative_after
    return issue.narrative if issue is not None else "", draft.narrative


def _status(stored: str | None) -> Status | None:
    return Status(stored) if stored else None


def _subject(context: Context, proposal: Proposal, bill: Bill | None) -> Subject | None:
    if bill is not None:
        url = bill_page_url(context.config.sources.cga.base_url, bill.key)
        return Subject(f"{bill.key.label} ({bill.session})", plain_title(bill.title), url)
    url = proposal.evidence[0].url if proposal.evidence else ""
    return Subject(safe(url), "", safe(url)) if safe(url) else None


def suggested(proposal: Proposal, issue: Issue | None) -> Draft:
    """What approving it as it stands would make of its issue."""
    if issue is None or proposal.kind == ProposalKind.REVIEW:
        return Draft(None, "")
    status = issue.status if proposal.kind == ProposalKind.NARRATIVE else str(proposal.to_status)
    return Draft(Status(status), with_sentence(issue.narrative, proposal.narrative))


def _audience(session: Session, issue: Issue | None) -> str:
    """ "412 subscribers and 1 Slack channel"."""
    if issue is None:
        return ""
    channels = audience.count(session, issue)
    counted = (
        (ChannelKind.EMAIL, "subscriber", "subscribers"),
        (ChannelKind.SLACK, "Slack channel", "Slack channels"),
        (ChannelKind.APPRISE, "chat service", "chat services"),
    )
    told = [words.count(channels[kind], one, many) for kind, one, many in counted if kind in channels]
    return words.listed(told) if told else "nobody yet"
