"""What waits for a person, grouped by issue: the weightiest and oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Case,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, joinedload

from monitor.model.tracking import ProposalKind, ProposalState
from monitor.store.schema import Proposal, Source


class Waiting(StrEnum):
    """The kinds of things in the queue, the weightiest first. An outage is no proposal: nobody can decide it."""

    STATUS = "status"
    QUARANTINE = "quarantine"
    PHRASE = "phrase"
    LOOK = "look"
    TEXT = "text"
    OUTAGE = "outage"


def _about(prefix: str) -> ColumnElement[bool]:
    return and_(Proposal.kind == ProposalKind.REVIEW, Proposal.subject.startswith(prefix))


#: The first that fits says what a pending proposal is.
_KINDS: Sequence[tuple[Waiting, ColumnElement[bool]]] = (
    (Waiting.STATUS, Proposal.kind == ProposalKind.STATUS),
    (Waiting.QUARANTINE, _about("quarantine:")),
    (Waiting.PHRASE, _about("phrase:")),
    (Waiting.LOOK, Proposal.kind == ProposalKind.REVIEW),
    (Waiting.TEXT, Proposal.kind == ProposalKind.NARRATIVE),
)
_WEIGHTS = {kind: weight for weight, kind in enumerate(Waiting)}
#: After whatever can be weighed.
_REST = len(Waiting)


def kind_of(proposal: Proposal) -> Waiting:
    """The same of a row that is at hand."""
    if proposal.kind != ProposalKind.REVIEW:
        return Waiting.STATUS if proposal.kind == ProposalKind.STATUS else Waiting.TEXT
    known = {"quarantine": Waiting.QUARANTINE, "phrase": Waiting.PHRASE}
    return known.get(proposal.subject.partition(":")[0], Waiting.LOOK)


def _weight() -> Case[int]:
    return case(*((condition, _WEIGHTS[kind]) for kind, condition in _KINDS), else_=_REST)


def _open(today: date) -> ColumnElement[bool]:
    postponed = Proposal.postponed_until
    return and_(Proposal.state == ProposalState.PENDING, or_(postponed.is_(None), postponed <= today))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the queue: its group's weight and first proposal, then its own."""

    group_weight: int
    group_first: int
    weight: int
    proposal_id: int

    def __str__(self) -> str:
        return f"{self.group_weight}.{self.group_first}.{self.weight}.{self.proposal_id}"

    @classmethod
    def of(cls, text: str) -> Place | None:
        """What ``str`` wrote; None for anything else."""
        parts = text.split(".")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            return None
        return cls(*map(int, parts))


def _placed(today: date, kind: Waiting | None) -> Subquery:
    group = func.coalesce(Proposal.issue_id, "")
    rows = select(
        Proposal.id.label("id"),
        _weight().label("weight"),
        func.min(_weight()).over(partition_by=group).label("group_weight"),
        func.min(Proposal.id).over(partition_by=group).label("group_first"),
    ).where(_open(today))
    chosen = dict(_KINDS).get(kind) if kind is not None else None
    if kind is not None and chosen is not None:
        rows = rows.where(_weight() == _WEIGHTS[kind])
    return rows.subquery()


def _ordered(placed: Subquery) -> Select[Any]:
    order = (placed.c.group_weight, placed.c.group_first, placed.c.weight, placed.c.id)
    return select(*order).order_by(*order)


def page(
    session: Session, today: date, *, kind: Waiting | None = None, after: Place | None = None, limit: int
) -> list[tuple[Place, Proposal]]:
    """The next rows after a place, with their issues."""
    placed = _placed(today, kind)
    rows = _ordered(placed).limit(limit)
    if after is not None:
        here = tuple_(placed.c.group_weight, placed.c.group_first, placed.c.weight, placed.c.id)
        then = (after.group_weight, after.group_first, after.weight, after.proposal_id)
        rows = rows.where(here > tuple_(*(cast(number, Integer) for number in then)))
    places = [Place(*row) for row in session.execute(rows)]
    wanted = select(Proposal).where(Proposal.id.in_([place.proposal_id for place in places]))
    found = {one.id: one for one in session.scalars(wanted.options(joinedload(Proposal.issue)))}
    return [(place, found[place.proposal_id]) for place in places]


def order(session: Session, today: date) -> list[int]:
    """Every waiting proposal's id, as the queue shows them."""
    return [row[3] for row in session.execute(_ordered(_placed(today, None)))]


def counts(session: Session, today: date) -> dict[Waiting, int]:
    """How many of each kind wait; kinds of which there are none are left out."""
    weight = _weight()
    rows = session.execute(select(weight, func.count()).where(_open(today)).group_by(weight))
    found = dict.fromkeys(Waiting, 0)
    kinds = list(Waiting)
    for number, count in rows:
        found[kinds[number]] += count
    found[Waiting.OUTAGE] = session.scalar(select(func.count()).select_from(Source).where(_failing())) or 0
    return {kind: count for kind, count in found.items() if count}


def waiting(session: Session, today: date) -> int:
    """How many proposals wait."""
    return session.scalar(select(func.count()).select_from(Proposal).where(_open(today))) or 0


def _failing() -> ColumnElement[bool]:
    """A page that a person is asked about already is in the queue as that question."""
    asked = exists().where(Proposal.source_id == Source.id, Proposal.state == ProposalState.PENDING)
    return and_(Source.active, Source.outage_since.is_not(None), ~asked)


#: So many outages stand in the queue.
_OUTAGES = 10


def outages(session: Session) -> list[Source]:
    """Sources that cannot be read, the longest first."""
    return list(
        session.scalars(select(Source).where(_failing()).order_by(Source.outage_since, Source.id).limit(_OUTAGES))
    )


def postponed(session: Session, today: date) -> int:
    """How many proposals are put off until a day to come."""
    off = and_(Proposal.state == ProposalState.PENDING, Proposal.postponed_until > today)
    return session.scalar(select(func.count()).select_from(Proposal).where(off)) or 0


def last_and_next(session: Session) -> tuple[datetime | None, datetime | None]:
    """When any source was last read well, and when the next is due."""
    moments = select(func.max(Source.last_good_at), func.min(Source.next_check_at)).where(Source.active)
    last, soon = session.execute(moments).one()
    return last, soon
