"""The bulk files: one request that speaks for the whole session."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from monitor.diff import diff_actions, lost_most
from monitor.extract.base import ExtractError
from monitor.extract.bill_feed import Row, action_years, bill_actions, changed_histories, history_rows
from monitor.extract.registry import EXTRACTORS
from monitor.fetch.client import Fetcher
from monitor.fetch.errors import FetchError
from monitor.interpret import sessions
from monitor.model.legislature import ActionRow, BillInfoFile
from monitor.model.tracking import NotModified, Page, SourceKind, Validators, Verdict
from monitor.store import bills, snapshots, sources
from monitor.store.schema import Action, Bill, Evidence, Proposal, Snapshot, Source
from monitor.workflow import cadence, propose, quarantine, record
from monitor.workflow.context import Context
from monitor.workflow.fetching import fetch_bulk
from monitor.workflow.killpoints import killpoint
from monitor.workflow.ledger import meaning
from monitor.workflow.reading import Reading, stored
from monitor.workflow.record import Pass, Recorded

HISTORY = "bill_history.csv"
INFO = "bill_info.csv"

#: A history file that lost this share of its bytes is not believed.
_SHRUNK = 0.5

#: How the subject of a doubt about any bill's history in the bulk file begins.
_DOUBT = "quarantine:bulk:"

#: So many bills' rows are written together.
_TOGETHER = 200

#: So many changed bills in one pass ask whether this is still the same session's file.
_UPHEAVAL = 500


class Refused(Exception):
    """The bulk files cannot be believed; ``verdict`` says how."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Bulk:
    """Files that were believed: whose session they are, the titles, and the rows of each bill before and now.

    ``changed`` holds the bills that differ; ``whole`` says that it holds every bill there is, which is so on the
    session's first read and when bills are watched that the last pass was not asked about. ``accepted`` says that a
    person has looked at a file that shrank and found it right.
    """

    session: str
    titles: Mapping[str, str]
    changed: Mapping[str, tuple[list[Row], list[Row]]]
    whole: bool
    accepted: bool = False


@dataclass(slots=True)
class Captured:
    """What reading the files came to. ``bulk`` is set when there is something to enter."""

    verdict: Verdict
    message: str = ""
    history: Page | None = None
    info: Page | None = None
    bulk: Bulk | None = None
    error: FetchError | None = None


def capture(context: Context, fetcher: Fetcher, source: Source, validators: Validators | None) -> Captured:
    """Ask for the history file; only when it differs ask which session it is. No transaction is open."""
    try:
        history = fetch_bulk(context, fetcher, source.url, validators)
        killpoint("after_fetch")
        if isinstance(history, NotModified) or snapshots.sha256(history.body) == source.sha256:
            page = history if isinstance(history, Page) else None
            return Captured(Verdict.NOT_MODIFIED, history=page, bulk=_for_newcomers(context, source))
        info = fetch_bulk(context, fetcher, source.url.replace(HISTORY, INFO), None)
        killpoint("after_fetch")
    except FetchError as error:
        return Captured(error.verdict, str(error), error=error)
    assert isinstance(info, Page)
    try:
        return Captured(Verdict.OK, history=history, info=info, bulk=_judge(context, source, history, info))
    except Refused as refused:
        return Captured(refused.verdict, str(refused), history=history, info=info)
    except ExtractError as error:
        return Captured(error.verdict, str(error), history=history, info=info)


def _for_newcomers(context: Context, source: Source) -> Bulk | None:
    """Bills watched since the last pass are asked of the stored file: unchanged does not mean read."""
    with context.database.reading() as session:
        if source.session is None or source.snapshot_id is None:
            return None
        if not bills.unasked(session, source.session):
            return None
        body = stored(session, source.snapshot_id)
    return Bulk(source.session, {}, _all(body), whole=True) if body is not None else None


def _all(body: bytes) -> dict[str, tuple[list[Row], list[Row]]]:
    return {bill: ([], rows) for bill, rows in history_rows(body).items()}


def _judge(context: Context, source: Source, history: Page, info_page: Page) -> Bulk:
    extractor = EXTRACTORS[SourceKind.BILL_FEED]
    info = extractor.extract(info_page.body, url=info_page.url, content_type=info_page.content_type)
    assert isinstance(info, BillInfoFile)
    _check_session(info.session, source.session, context.today())
    before = _body_before(context, source) if source.session == info.session else None
    if before is None:
        everything = _all(history.body)
        _check_years(history.body, info.session)
        return Bulk(info.session, info.titles, everything, whole=True)
    accepted = extractor.fingerprint(history.body) == source.accepted_fingerprint
    if not accepted and len(history.body) < _SHRUNK * len(before):
        shrunk = f"{HISTORY} fell from {len(before):,} bytes to {len(history.body):,}; the last good file still counts."
        raise Refused(Verdict.SHRUNK, shrunk)
    changed = changed_histories(before, history.body)
    if len(changed) > _UPHEAVAL:
        _check_years(history.body, info.session)
    everything = {**_newcomers(context, info.session, history), **changed}
    return Bulk(info.session, info.titles, everything, whole=False, accepted=accepted)


def _newcomers(context: Context, session_name: str, history: Page) -> dict[str, tuple[list[Row], list[Row]]]:
    """All rows of bills the file was never asked about: what differs since yesterday says nothing of their past."""
    with context.database.reading() as session:
        unasked = {bill.identifier for bill in bills.unasked(session) if bill.session == session_name}
    if not unasked:
        return {}
    return {bill: rows for bill, rows in _all(history.body).items() if bill in unasked}


def _body_before(context: Context, source: Source) -> bytes | None:
    if source.snapshot_id is None:
        return None
    with context.database.reading() as session:
        return stored(session, source.snapshot_id)


def _check_session(found: str, before: str | None, today: date) -> None:
    """The site has served the old session's files for weeks after a new one began (FACTS 2)."""
    expected = sessions.current(today).identifier
    if before is not None and found < before:
        raise Refused(Verdict.WRONG_PAGE, f"{INFO} went back from the {before} session to {found}.")
    if found < expected and sessions.in_session(today):
        stale = f"the {expected} session has begun and {INFO} still carries {found}: last session's files are no news."
        raise Refused(Verdict.WRONG_PAGE, stale)


def _check_years(body: bytes, session: str) -> None:
    newest = max(action_years(body), default=0)
    if newest < int(session):
        mixed = f"{HISTORY} ends in {newest} but {INFO} says {session}: the two files do not belong together."
        raise Refused(Verdict.WRONG_PAGE, mixed)


def enter(session: Session, at: Pass, source: Source, captured: Captured) -> Recorded:
    """Write what a believed reading says, inside the caller's transaction."""
    bulk = captured.bulk
    snapshot = session.get(Snapshot, source.snapshot_id) if source.snapshot_id else None
    if captured.verdict is Verdict.OK and captured.history is not None:
        extractor = EXTRACTORS[SourceKind.BILL_FEED]
        fingerprint = extractor.fingerprint(captured.history.body)
        snapshot = record.keep(session, source, captured.history, Reading(Verdict.OK, fingerprint=fingerprint))
    recorded = Recorded([], [])
    _not_begun(session, at)
    if bulk is None:
        return recorded
    if source.session not in (None, bulk.session):
        recorded.proposals += _new_session(session, at, source, snapshot, bulk.session)
    source.session = bulk.session
    touched = _concerned(session, bulk)
    known = bills.ledgers(session, [bill.id for bill in touched])
    doubts = quarantine.open_about(session, f"{_DOUBT}{bulk.session}-")
    for place, bill in enumerate(touched):
        if place % _TOGETHER == 0:
            session.flush()  # a whole session's rows, not yet written, are held in memory
        was, now = bulk.changed.get(bill.identifier, ([], []))
        bill.title = bulk.titles.get(bill.identifier) or bill.title
        rows = (bill_actions(was), bill_actions(now))
        about = [one for one in doubts if one.subject.startswith(_doubt(bill))]
        recorded += _bill(session, at, source, snapshot, bill, *rows, known[bill.id], about, bulk.accepted)
    told = {change.bill_id for change in recorded.changes}
    _read_pages_of(session, at, bulk.session, [one for one in touched if one.id in told or not bulk.whole])
    return recorded


def _not_begun(session: Session, at: Pass) -> None:
    """Before its session begins a bill has no history: its first rows will be news, whichever file brings them."""
    for bill in bills.unasked(session):
        if bill.session > sessions.current(at.today).identifier:
            bill.feed_asked_at = at.now
            bill.first_read_at = bill.first_read_at or at.now


def _new_session(session: Session, at: Pass, source: Source, snapshot: Snapshot | None, name: str) -> list[Proposal]:
    """Bills do not carry over: the files speak for the old session's no more, and somebody must name the new ones."""
    bills.leave_feed(session, name)
    reason = (
        f"The bulk files of the {name} session have appeared. Which of its bills should be watched, for which issue?"
    )
    evidence = Evidence(
        url=source.url,
        quote=f"sess_year {name}",
        first_seen_at=at.now,
        snapshot_sha256=snapshot.sha256 if snapshot else None,
    )
    made = propose.review(session, f"session:{name}", reason, [evidence], at.now, source=source)
    return [made] if made is not None else []


def _concerned(session: Session, bulk: Bulk) -> list[Bill]:
    """Bills never asked about, and those that differ; an unchanged file has nothing to say about the others."""
    new = {bill.id: bill for bill in bills.unasked(session, bulk.session)}
    differing = bulk.changed if bulk.titles else ()
    known = {bill.id: bill for bill in bills.named(session, bulk.session, differing)}
    return sorted({**new, **known}.values(), key=lambda bill: bill.identifier)


def _bill(
    session: Session,
    at: Pass,
    source: Source,
    snapshot: Snapshot | None,
    bill: Bill,
    was: Sequence[ActionRow],
    rows: Sequence[ActionRow],
    known: Sequence[Action],
    doubts: Sequence[Proposal],
    accepted: bool,
) -> Recorded:
    is_news = not record.is_first_sight(bill, bill.feed_asked_at, at.now)
    bill.feed_asked_at = bill.feed_asked_at or at.now
    if not rows:
        # Not introduced yet, or one of the histories the file has been seen to lack (FACTS 2):
        # what other reads showed stands.
        bill.in_feed = False
        bill.first_read_at = bill.first_read_at or at.now
        return Recorded([], [])
    shown = [ActionRow(one.date, one.description) for one in known if one.in_feed and not one.gone]
    since = diff_actions(shown, rows, meaning)
    if not accepted and (lost_most(shown, rows) or (doubts and since.removed)):
        # Not believed until the rows are back or a person has decided; what is new in it is still told.
        bill.in_feed = False
        made = _quarantine(session, at, source, snapshot, bill, len(shown), len(rows)) if not doubts else []
        rows = [*shown, *since.added, *(after for _, after in since.amended)]
        recorded = record.bill_read(session, at, source, snapshot, bill, known, was, rows, "in_feed", is_news)
        recorded.proposals += made
        return recorded
    quarantine.close(session, doubts, at.now)
    bill.in_feed = True
    return record.bill_read(session, at, source, snapshot, bill, known, was, rows, "in_feed", is_news)


def _doubt(bill: Bill) -> str:
    """How the subject of a doubt about this bill's history in the bulk file begins."""
    return f"{_DOUBT}{bill.session}-{bill.identifier}:"


def _quarantine(
    session: Session, at: Pass, source: Source, snapshot: Snapshot | None, bill: Bill, was: int, now: int
) -> list[Proposal]:
    reason = f"Quarantined: {bill.key.label}'s history in {HISTORY} fell from {was} rows to {now}. Nothing was removed."
    evidence = Evidence(
        url=source.url,
        quote=f"{now} of {was} rows",
        first_seen_at=at.now,
        snapshot_sha256=snapshot.sha256 if snapshot else None,
    )
    subject = f"{_doubt(bill)}{at.today}"
    made = propose.review(session, subject, reason, [evidence], at.now, bill=bill, source=source)
    return [made] if made is not None else []


def _read_pages_of(session: Session, at: Pass, name: str, changed: Sequence[Bill]) -> None:
    """The status page is richer, and soonest to say whether a row that went is really gone: read it."""
    pages = sources.pages_of(session, name, [bill.identifier for bill in changed])
    sources.make_due(session, pages, at.began)


def fail(context: Context, session: Session, at: Pass, source: Source, captured: Captured) -> list[Proposal]:
    """The files cannot be believed: the baseline stays and a person hears of it once it lasts."""
    record.failed(source, captured.verdict, captured.message, at.now)
    body = captured.history.body if captured.history is not None else None
    fingerprint = EXTRACTORS[SourceKind.BILL_FEED].fingerprint(body) if body is not None else None
    reading = Reading(captured.verdict, captured.message, fingerprint=fingerprint)
    made = quarantine.keep(context.config, session, at, source, captured.history, reading)
    sources.release(source, at.now + cadence.retry(source.failures, random.Random()))
    return made
