"""What proves a proposal: the rows that changed, and the saved pages they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from monitor.diff import diff_actions
from monitor.interpret.actions import classify
from monitor.interpret.sentences import plain_day
from monitor.model.legislature import Bill
from monitor.model.tracking import ChangeKind, ProposalKind, SourceKind
from monitor.store import snapshots
from monitor.store.schema import Action, ChangeRow, Evidence, Proposal, Snapshot, Source
from monitor.web import words
from monitor.web.links import safe
from monitor.workflow.reading import again, stored

#: Rows of the history that are shown; the rest are counted.
_ROWS = 5

_SIGNS = {
    ChangeKind.ACTION: "New row",
    ChangeKind.ACTION_REMOVED: "Removed row",
    ChangeKind.ACTION_AMENDED: "Changed row",
    ChangeKind.DOCUMENT: "New document",
    ChangeKind.DOCUMENT_REMOVED: "Removed document",
    ChangeKind.ENTRY: "New entry",
    ChangeKind.TITLE: "New title",
    ChangeKind.ACT: "New act",
}


@dataclass(frozen=True, slots=True)
class Quote:
    """A row as the source wrote it, its date too. ``was`` is its wording before, if it had another."""

    label: str
    day: str
    text: str
    was: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table. ``sign`` is "+", "−" or nothing, ``said`` the same for those who only hear it."""

    sign: str
    said: str
    day: str
    text: str


@dataclass(frozen=True, slots=True)
class Pages:
    """The saved pages, by their hashes ("" for one that is not there), and the live one.

    ``before_id`` and ``after_id`` say which captures they are: a page may have been the same at other times.
    """

    before: str
    after: str
    live: str
    before_id: int | None
    after_id: int | None


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """Everything that proves one proposal."""

    quotes: tuple[Quote, ...]
    more: int
    dated: str
    seen: str
    caption: str
    lines: tuple[Line, ...]
    pages: Pages


def read_evidence(
    session: Session, proposal: Proposal, official: str, ledger: Sequence[Action], changed: Mapping[int, ChangeRow]
) -> EvidenceView:
    """``official`` is the bill's own page; evidence often stands in the bulk files, which are no page to read.

    ``ledger`` are all rows of the bill, ``changed`` the changes that the evidence names.
    """
    proofs = proposal.evidence
    lead = proofs[0] if proofs else None
    after = _snapshot(session, lead, changed) if lead is not None else None
    before = snapshots.good_before(session, after) if after is not None else None
    lines, caption = _history(session, proposal, ledger, before, after)
    dates = sorted({one.action_date for one in proofs if one.action_date is not None})
    return EvidenceView(
        quotes=tuple(_quote(one, changed) for one in proofs[:1]),
        more=len(proofs[1:]),
        dated=" and ".join(plain_day(day) for day in dates[-2:]),
        seen=_seen(session, lead, ledger, changed) if lead is not None else "",
        caption=caption,
        lines=lines,
        pages=Pages(
            before.sha256 if before is not None else "",
            after.sha256 if after is not None else "",
            safe(official or (lead.url if lead is not None else "")),
            before.id if before is not None else None,
            after.id if after is not None else None,
        ),
    )


def _quote(one: Evidence, changed: Mapping[int, ChangeRow]) -> Quote:
    change = changed.get(one.change_id or 0)
    amended = change is not None and change.kind == ChangeKind.ACTION_AMENDED
    label = _SIGNS[ChangeKind(change.kind)] if change is not None else "It says"
    return Quote(label, site_day(one.action_date), one.quote, one.before if amended else "")


def site_day(day: date | None) -> str:
    """As the site writes its days: 6/9/2025."""
    return f"{day.month}/{day.day}/{day.year}" if day is not None else ""


def _snapshot(session: Session, lead: Evidence, changed: Mapping[int, ChangeRow]) -> Snapshot | None:
    if lead.snapshot_sha256 is None:
        return None
    change = changed.get(lead.change_id or 0)
    if change is not None and change.snapshot_id is not None:
        return session.get(Snapshot, change.snapshot_id)
    return snapshots.find(session, lead.snapshot_sha256)


def _seen(session: Session, lead: Evidence, ledger: Sequence[Action], changed: Mapping[int, ChangeRow]) -> str:
    """When, and in which channel; which other channel shows it too."""
    change = changed.get(lead.change_id or 0)
    source = session.get(Source, change.source_id) if change is not None and change.source_id else None
    where = ", in the bulk file" if source is not None and source.kind == "bill_feed" else ""
    where = ", on the status page" if source is not None and source.kind == "bill_page" else where
    return words.plain_moment(lead.first_seen_at) + where + _elsewhere(lead, ledger, where)


def _elsewhere(lead: Evidence, ledger: Sequence[Action], where: str) -> str:
    action = next((one for one in ledger if (one.date, one.description) == (lead.action_date, lead.quote)), None)
    if action is None or not where:
        return ""
    other = action.in_page if "bulk" in where else action.in_feed
    name = "the status page" if "bulk" in where else "the bulk file"
    return f"; {name} shows it too" if other else f"; {name} does not show it"


def _history(
    session: Session, proposal: Proposal, ledger: Sequence[Action], before: Snapshot | None, after: Snapshot | None
) -> tuple[tuple[Line, ...], str]:
    """The bill's history, newest first, around what changed; a few rows and how many there are of each."""
    if proposal.bill_id is None:
        return (), ""
    if proposal.kind == ProposalKind.REVIEW and before is not None and after is not None:
        doubted = _doubted(session, before, after)
        if doubted is not None:
            return doubted
    proven = {(one.action_date, one.quote) for one in proposal.evidence}
    shown = [one for one in reversed(ledger) if not one.gone or (one.date, one.description) in proven]
    marked = [(one, _mark(one, proven)) for one in shown]
    marks = [mark for _, mark in marked]
    added, removed = marks.count("+"), marks.count("−")
    caption = (
        f"Bill history{_days(before, after)}: {words.count(added, 'row') if added else 'none'} added, "
        f"{removed or 'none'} removed, {len(marks) - added - removed} unchanged"
    )
    return tuple(_line(one, mark) for one, mark in _window(marked)), caption


def _doubted(session: Session, before: Snapshot, after: Snapshot) -> tuple[tuple[Line, ...], str] | None:
    """The rows of a page that is doubted against the last good one; None unless both can be read as bills."""
    old, new = (_bill(session, one) for one in (before, after))
    if old is None or new is None:
        return None
    diff = diff_actions(old.actions, new.actions, lambda row: classify(row.description).identity)
    gone = [Line("−", "removed", site_day(row.date), row.description) for row in diff.removed]
    come = [Line("+", "added", site_day(row.date), row.description) for row in diff.added]
    kept = len(new.actions) - len(come)
    caption = (
        f"Bill history{_days(before, after)}: {words.count(len(come), 'row') if come else 'none'} added, "
        f"{len(gone) or 'none'} removed, {kept} unchanged"
    )
    return tuple([*come, *gone[::-1]][:_ROWS]), caption


def _bill(session: Session, snapshot: Snapshot) -> Bill | None:
    source = session.get_one(Source, snapshot.source_id)
    body = stored(session, snapshot.id) if source.kind == SourceKind.BILL_PAGE else None
    record = again(SourceKind.BILL_PAGE, body, source.url, snapshot.content_type) if body is not None else None
    return record if isinstance(record, Bill) else None


def _mark(action: Action, proven: set[tuple[date | None, str]]) -> str:
    if action.removed_at is not None:
        return "−"
    return "+" if (action.date, action.description) in proven else ""


def _window(marked: Sequence[tuple[Action, str]]) -> list[tuple[Action, str]]:
    """What changed comes first; rows around the newest change fill the rest."""
    changed = [number for number, (_, mark) in enumerate(marked) if mark]
    first = changed[0] if changed else 0
    shown = set(changed[:_ROWS])
    for number in [*range(first, len(marked)), *range(first - 1, -1, -1)]:
        if len(shown) >= _ROWS:
            break
        shown.add(number)
    return [marked[number] for number in sorted(shown)]


def _line(action: Action, mark: str) -> Line:
    said = {"+": "added", "−": "removed"}.get(mark, "")
    return Line(mark, said, site_day(action.date), action.description)


def _days(before: Snapshot | None, after: Snapshot | None) -> str:
    """ ", June 9 against June 10"."""
    if before is None or after is None:
        return ""
    old, new = words.day(before.fetched_at), words.day(after.fetched_at)
    if old == new:
        return f", {words.plain_time(before.fetched_at)} against {words.plain_time(after.fetched_at)}"
    return f", {words.short_day(old, new)} against {words.short_day(new, new)}"
