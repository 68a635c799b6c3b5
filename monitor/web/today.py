"""The desk's page of a day: what the service did, by the legislature's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from flask import Blueprint, abort, render_template, request

from monitor.interpret.sentences import plain_day
from monitor.model.tracking import ChangeKind, ProposalState, SourceKind, Status
from monitor.store import days, runs
from monitor.store.schema import Bill, ChangeRow, Delivery, Proposal, Run, Source
from monitor.web import words
from monitor.web.access import Access, access
from monitor.web.context import monitor
from monitor.web.sources_view import KINDS, name, web_address
from monitor.web.words import When
from monitor.workflow.context import EASTERN, Context

blueprint = Blueprint("today", __name__, url_prefix="/desk/today")

#: More of one kind than a page can use; the rest is counted by nobody.
_MOST = 500

_CHANGES = {
    ChangeKind.ACTION: "",
    ChangeKind.ACTION_REMOVED: "Row removed",
    ChangeKind.ACTION_AMENDED: "Row changed",
    ChangeKind.TITLE: "Title changed",
    ChangeKind.DOCUMENT: "New document",
    ChangeKind.DOCUMENT_REMOVED: "Document removed",
    ChangeKind.ACT: "Act number",
    ChangeKind.ENTRY: "New entry",
}

_STATES = {
    ProposalState.PENDING: "Waits",
    ProposalState.APPROVED: "Approved",
    ProposalState.AMENDED: "Amended and approved",
    ProposalState.REJECTED: "Rejected",
    ProposalState.SUPERSEDED: "Replaced by a newer one",
}


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One row as the source wrote it, with its own date."""

    what: str
    quote: str
    dated: str
    url: str
    seen: str


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """What changed of one bill or source."""

    heading: str
    lines: tuple[ChangeLine, ...]


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """A proposal made or decided on the day. ``outcome`` says by whom and when, if it was that day."""

    id: int
    issue: str
    move: str
    reason: str
    made: When | None
    outcome: str


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A message that did not leave. Whom it was for stands with the subscribers, not here."""

    channel: str
    state: str
    error: str


@dataclass(frozen=True, slots=True)
class Day:
    """Everything of one day."""

    title: str
    iso: str
    before: str
    after: str
    passes: int
    sums: tuple[tuple[str, int], ...]
    unfinished: int
    changes: list[ChangeGroup]
    proposals: list[ProposalLine]
    sent: tuple[tuple[str, int], ...]
    failures: list[FailureLine]


@blueprint.get("")
@access(Access.VIEWER)
def page() -> str:
    """Today in Connecticut, or ``?day=2025-06-10``."""
    context = monitor()
    asked = request.args.get("day", "")
    return render_template("today.html.j2", day=of(context, _day(asked) if asked else context.today()))


def _day(asked: str) -> date:
    try:
        wanted = date.fromisoformat(asked)
    except ValueError:
        abort(404)
    # The calendar's ends have no day before or after.
    return wanted if date.min < wanted < date.max else abort(404)


def of(context: Context, wanted: date) -> Day:
    """What happened on a day; one with a day before and after."""
    start, end = _midnight(wanted), _midnight(wanted + timedelta(days=1))
    with context.database.reading() as session:
        passes = runs.between(session, start, end)
        changes = days.changes(session, start, end, _MOST)
        return Day(
            title="Today" if wanted == context.today() else plain_day(wanted),
            iso=wanted.isoformat(),
            before=(wanted - timedelta(days=1)).isoformat(),
            after=(wanted + timedelta(days=1)).isoformat() if wanted < context.today() else "",
            passes=len(passes),
            sums=tuple(_sums(passes)),
            unfinished=sum(one.finished_at is None for one in passes),
            changes=list(_groups(changes)),
            proposals=[_proposal(one, start, end) for one in days.proposals(session, start, end, _MOST)],
            sent=tuple(sorted(days.sent(session, start, end).items())),
            failures=[_failure(one) for one in days.unsent(session, start, end, _MOST)],
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), EASTERN).astimezone(UTC)


def _sums(passes: Sequence[Run]) -> Iterator[tuple[str, int]]:
    """Of the counts that every pass leaves."""
    for label, key in (
        ("Read", "checked"),
        ("Changed", "changed"),
        ("Failed", "failed"),
        ("Refused to us", "blocked"),
        ("Requests", "requests"),
    ):
        yield label, sum(int(one.counts.get(key, 0)) for one in passes)


def _groups(rows: Sequence[tuple[ChangeRow, Bill | None, Source | None]]) -> Iterator[ChangeGroup]:
    for heading, group in groupby(rows, key=lambda row: _heading(row[1], row[2])):
        yield ChangeGroup(heading, tuple(_change(change) for change, _, _ in group))


def _heading(bill: Bill | None, source: Source | None) -> str:
    if bill is not None:
        return f"{bill.key.label} ({bill.session})"
    return f"{KINDS[SourceKind(source.kind)]}: {name(source)}" if source is not None else "The calendar"


def _change(change: ChangeRow) -> ChangeLine:
    return ChangeLine(
        _CHANGES[ChangeKind(change.kind)],
        change.quote,
        plain_day(change.on) if change.on is not None else "",
        web_address(change.url),
        words.plain_time(change.first_seen_at),
    )


def _proposal(one: Proposal, start: datetime, end: datetime) -> ProposalLine:
    was_made = start <= one.created_at < end
    return ProposalLine(
        one.id,
        one.issue.name if one.issue is not None else "The service",
        _move(one),
        one.reason,
        words.at(one.created_at) if was_made else None,
        _outcome(one) if one.decided_at is not None and start <= one.decided_at < end else "",
    )


def _outcome(one: Proposal) -> str:
    who = f" by {one.decided_by}" if one.decided_by else ""
    when = words.plain_time(one.decided_at) if one.decided_at is not None else ""
    why = f": {one.decision_reason}" if one.decision_reason else ""
    return f"{_STATES[ProposalState(one.state)]}{who}, {when}{why}"


def _move(one: Proposal) -> str:
    if one.from_status is None or one.to_status is None:
        return "a person must look"
    before, after = Status(one.from_status).label, Status(one.to_status).label
    return f"stays {before}" if before == after else f"{before} → {after}"


def _failure(one: Delivery) -> FailureLine:
    state = "given up" if one.state == "dead" else f"tried {words.count(one.attempts, 'time')}, tried again later"
    return FailureLine(one.channel, state, one.error)
