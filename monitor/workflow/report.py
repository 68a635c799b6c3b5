"""What one pass of ``check`` did, in the words other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.store import bills, sources
from monitor.store.schema import Bill, ChangeRow, Proposal, Source, Watch
from monitor.workflow.record import Recorded


@dataclass(slots=True)
class CheckReport:
    """What one pass did. ``changes`` are ready for ``--json``; ``proposals`` are ids."""

    checked: int = 0
    unchanged: int = 0
    changed: int = 0
    failed: int = 0
    blocked: int = 0
    requests: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)
    proposals: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return {name: getattr(self, name) for name in CheckReport.__slots__}

    def add(self, outcome: str, entry: Entry | None = None, *, count: int = 1) -> None:
        """Count an outcome and take over what it brought, once that is committed."""
        if outcome == "postponed":
            return
        self.checked += count
        setattr(self, outcome, getattr(self, outcome) + count)
        if entry is not None:
            self.changes += entry.changes
            self.proposals += entry.proposals


@dataclass(frozen=True, slots=True)
class Entry:
    """What was recorded, in the report's words."""

    changes: list[dict[str, Any]]
    proposals: list[int]


def entry_of(session: Session, recorded: Recorded) -> Entry:
    """Put into words while the transaction that records it still has everything at hand."""
    return Entry(changes_as_json(session, recorded.changes), [proposal.id for proposal in recorded.proposals])


def changes_as_json(session: Session, changes: Sequence[ChangeRow]) -> list[dict[str, Any]]:
    """Changes in the report's words; ``watch`` is the first of the watches a change concerns."""
    of_bill = sources.first_watches(session, Watch.bill_id, {one.bill_id for one in changes})
    of_source = sources.first_watches(session, Watch.source_id, {one.source_id for one in changes if not one.bill_id})
    named = bills.of_ids(session, {one.bill_id for one in changes if one.bill_id})
    return [
        _one(
            session,
            change,
            named.get(change.bill_id or 0),
            (of_bill if change.bill_id else of_source).get(change.bill_id or change.source_id),
        )
        for change in changes
    ]


def _one(session: Session, change: ChangeRow, bill: Bill | None, watch: str | None) -> dict[str, Any]:
    source = session.get(Source, change.source_id) if change.source_id else None
    return {
        "watch": watch,
        "source": source.slug if source else None,
        "kind": change.kind,
        "session": bill.session if bill else None,
        "bill": bill.identifier if bill else None,
        "date": change.on.isoformat() if change.on else None,
        "description": change.quote,
        "phrase": change.phrase or None,
        "classification": list(change.classification),
    }


def still_pending(session: Session, ids: Sequence[int]) -> list[int]:
    """A proposal that this same run has already superseded is not worth naming."""
    rows = select(Proposal.id).where(Proposal.id.in_(ids), Proposal.state == "pending").order_by(Proposal.id)
    return list(session.scalars(rows))
