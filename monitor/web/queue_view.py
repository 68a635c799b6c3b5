"""The queue in words: what waits, by kind, by issue, the weightiest and oldest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from monitor.model.tracking import SourceKind, Status
from monitor.store import queue
from monitor.store.queue import Place, Waiting
from monitor.store.schema import Issue, Proposal, Source
from monitor.web import words
from monitor.workflow.context import Context

#: Rows on one page.
PAGE = 50

#: One, and many.
KINDS: Mapping[Waiting, tuple[str, str]] = {
    Waiting.STATUS: ("New status", "New statuses"),
    Waiting.QUARANTINE: ("Quarantined", "Quarantined"),
    Waiting.PHRASE: ("Unknown phrase", "Unknown phrases"),
    Waiting.LOOK: ("Needs a look", "Need a look"),
    Waiting.TEXT: ("New text", "New texts"),
    Waiting.OUTAGE: ("Outage", "Outages"),
}

_SENTENCES = re.compile(r"(?<=[.?]) (?=[A-Z“])")
#: A word, and not the name of a file.
_PLAIN_START = re.compile(r"[a-z]+ ")

#: What a reason says first is what the kind says already.
_SAID = ("Quarantined: ", "Unknown phrase in ")


@dataclass(frozen=True, slots=True)
class Count:
    """One kind, how many wait, and whether only it is shown."""

    kind: str
    label: str
    number: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that waits. ``proposal`` is None for an outage: nobody can decide it."""

    kind: str
    proposal: int | None
    before: Status | None
    after: Status | None
    sentence: str
    age: str
    since: str


@dataclass(frozen=True, slots=True)
class Group:
    """One issue's rows."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """The whole page. ``next_after`` leads to the rows behind these."""

    counts: tuple[Count, ...]
    groups: tuple[Group, ...]
    total: int
    postponed: int
    next_after: str
    is_first: bool
    chosen: str
    calm: str

    @property
    def is_empty(self) -> bool:
        return not self.groups


def read_queue(session: Session, context: Context, kind: Waiting | None, after: Place | None) -> Queue:
    """The rows behind ``after``, of one kind or of all."""
    now, today = context.now(), context.today()
    found = _proposals(session, context, kind, after)
    more = found[PAGE:]
    groups = [Group(name, tuple(_row(proposal, now) for _, proposal in rows)) for name, rows in _by_issue(found[:PAGE])]
    if kind in (None, Waiting.OUTAGE) and not more:
        groups += _outages(session, now)
    counts = queue.counts(session, today)
    return Queue(
        counts=tuple(Count(one, _label(one, number), number, one is kind) for one, number in counts.items()),
        groups=tuple(groups),
        total=sum(counts.values()),
        postponed=queue.postponed(session, today),
        next_after=str(found[PAGE - 1][0]) if more else "",
        is_first=after is None,
        chosen=kind or "",
        calm=_calm(session, now),
    )


def _proposals(
    session: Session, context: Context, kind: Waiting | None, after: Place | None
) -> list[tuple[Place, Proposal]]:
    """One more than a page holds, to know whether there is another."""
    if kind is Waiting.OUTAGE:
        return []
    return queue.page(session, context.today(), kind=kind, after=after, limit=PAGE + 1)


def _label(kind: Waiting, number: int) -> str:
    return KINDS[kind][0 if number == 1 else 1]


def _by_issue(found: Iterable[tuple[Place, Proposal]]) -> list[tuple[str, list[tuple[Place, Proposal]]]]:
    return [
        (issue_name(rows[0][1].issue), rows)
        for rows in (list(rows) for _, rows in groupby(found, lambda one: one[1].issue_id))
    ]


def issue_name(issue: Issue | None) -> str:
    return issue.name if issue is not None else "No one issue"


def _row(proposal: Proposal, now: datetime) -> Row:
    moves = proposal.from_status != proposal.to_status
    return Row(
        kind=KINDS[queue.kind_of(proposal)][0],
        proposal=proposal.id,
        before=Status(proposal.from_status) if moves and proposal.from_status else None,
        after=Status(proposal.to_status) if moves and proposal.to_status else None,
        sentence=first_sentence(sentence(proposal)),
        age=age(proposal.created_at, now),
        since=words.plain_moment(proposal.created_at),
    )


def sentence(proposal: Proposal) -> str:
    """What it is about, without what its kind says already."""
    said = proposal.reason
    for start in _SAID:
        said = said.removeprefix(start)
    return said[:1].upper() + said[1:] if _PLAIN_START.match(said) else said


def first_sentence(text: str) -> str:
    """The first of several; the page has the rest."""
    return _SENTENCES.split(text, maxsplit=1)[0]


def age(since: datetime, now: datetime) -> str:
    """ "3 hours"."""
    seconds = max(0, int((now - since).total_seconds()))
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return words.count(seconds // length, name)
    return "less than a minute"


def _outages(session: Session, now: datetime) -> list[Group]:
    """One group for all: a site that is down is one trouble, however many pages it has."""
    found = queue.outages(session)
    if not found:
        return []
    return [Group("Sources that cannot be read", tuple(_outage(one, now) for one in found))]


def _outage(source: Source, now: datetime) -> Row:
    since = source.outage_since or now
    return Row(
        kind=KINDS[Waiting.OUTAGE][0],
        proposal=None,
        before=None,
        after=None,
        sentence=first_sentence(f"{source_name(source)}: {source.error or 'it cannot be read'}"),
        age=age(since, now),
        since=words.plain_moment(since),
    )


def source_name(source: Source) -> str:
    """The source as people call it."""
    if source.bill is not None:
        return f"{source.bill.label} ({source.bill.session}), its status page"
    if source.kind == SourceKind.BILL_FEED:
        return f"the bulk file {source.slug.rpartition('/')[2]}"
    if source.kind == SourceKind.ACTS_PAGE:
        return "the list of all acts"
    parts = urlsplit(source.url)
    return f"{'the feed' if source.kind == SourceKind.FEED else 'the page'} {parts.netloc}{parts.path}"[:120]


def _calm(session: Session, now: datetime) -> str:
    """ "Last read 6:10 a.m.; next 12:10 p.m." """
    last, soon = queue.last_and_next(session)
    read = f"Last read {when(last, now)}" if last is not None else "Nothing has been read yet"
    said = f"{read}; next {when(soon, now)}" if soon is not None and soon > now else read
    return said if said.endswith(".") else f"{said}."


def when(moment: datetime, now: datetime) -> str:
    """The time alone while it is today's."""
    same = words.day(moment) == words.day(now)
    return words.plain_time(moment) if same else words.plain_moment(moment)


@dataclass(frozen=True, slots=True)
class InQueue:
    """Which one in the queue it is (0: none), of how many, and the ones before and after it."""

    number: int
    total: int
    previous: int | None
    next: int | None


def place_of(order: Sequence[int], proposal_id: int) -> InQueue:
    if proposal_id not in order:
        return InQueue(0, len(order), None, order[0] if order else None)
    at = order.index(proposal_id)
    following = order[at + 1] if at + 1 < len(order) else None
    return InQueue(at + 1, len(order), order[at - 1] if at else None, following)
