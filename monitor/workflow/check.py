"""Read what is due, work out what changed, propose what it means.

T1 claims sources; fetching and reading happen with no transaction open; T2 records each outcome.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.fetch.client import Fetcher
from monitor.fetch.errors import FetchError, FetchStopped, HostPaused
from monitor.model.legislature import Record, Stage
from monitor.model.tracking import NotModified, Page, SourceKind, Validators, Verdict
from monitor.store import bills, sources
from monitor.store.schema import Bill, ChangeRow, Proposal, Run, Snapshot, Source, Watch
from monitor.workflow import bulk, cadence, notices, quarantine, record
from monitor.workflow.context import Context
from monitor.workflow.fetching import fetch, open_fetcher, store_hosts
from monitor.workflow.killpoints import killpoint
from monitor.workflow.reading import Baseline, Reading, again, doubt, read, same_at_a_glance, stored
from monitor.workflow.record import Pass, Recorded
from monitor.workflow.upkeep import upkeep

log = structlog.get_logger()

#: The feed first: it says which status pages have news.
_ROUNDS: Sequence[Collection[SourceKind]] = (
    (SourceKind.BILL_FEED,),
    (SourceKind.ACTS_PAGE, SourceKind.DOCUMENT_LIST, SourceKind.FEED, SourceKind.BILL_PAGE),
)


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


@dataclass(slots=True)
class Capture:
    """One claimed source and what reading it came to; nothing here needs a transaction."""

    source: Source
    page: Page | None = None
    reading: Reading | None = None
    before: Record | None = None
    error: FetchError | None = None


def check(
    context: Context,
    *,
    everything: bool = False,
    watches: Collection[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CheckReport:
    """One pass over what is due, or over everything, or over what stands behind ``watches``.

    Never raises for a source that fails: its failure is recorded and told. Stops between sources when asked to.
    """
    killpoint("check_start")
    errand = _begin(context, everything, watches)
    report = CheckReport()
    with open_fetcher(context) as fetcher:
        try:
            for kinds in _ROUNDS:
                _round(context, fetcher, errand, kinds, report, progress)
        finally:
            report.requests = fetcher.requests
            _finish(context, fetcher, errand, report)
    return report


@dataclass(frozen=True, slots=True)
class Errand:
    """One pass: its run, when it began, and the sources it is limited to (None for no limit).

    What falls due after it began is left to the next pass, so that a pass ends.
    """

    run_id: int
    began: datetime
    only: Collection[int] | None


def _begin(context: Context, everything: bool, watches: Collection[str] | None) -> Errand:
    now = context.now()
    with context.database.transaction() as session:
        asked = sources.due_ids(session, watches) if everything or watches is not None else []
        sources.make_due(session, asked, now)
        run = Run(started_at=now, counts={})
        session.add(run)
        session.flush()
        killpoint("before_begin_commit")
    killpoint("after_begin_commit")
    return Errand(run.id, now, asked if watches is not None else None)


def _round(
    context: Context,
    fetcher: Fetcher,
    errand: Errand,
    kinds: Collection[SourceKind],
    report: CheckReport,
    progress: Callable[[int, int], None],
) -> None:
    while not context.stopping():
        claimed = _claim(context, errand, kinds)
        if not claimed:
            return
        killpoint("after_claim")
        if SourceKind.BILL_FEED in kinds:
            for source in claimed:
                _read_bulk(context, fetcher, errand, source, report)
        else:
            _record(context, errand, [_capture(context, fetcher, source) for source in claimed], report)
        progress(report.checked, report.checked + _waiting(context, errand, kinds))


def _batch(context: Context) -> int:
    """As many as surely fit into a lease; a local replica without manners can take more at once."""
    return 3 if context.config.manners.interval_seconds else 64


def _claim(context: Context, errand: Errand, kinds: Collection[SourceKind]) -> list[Source]:
    now = context.now()
    with context.database.transaction() as session:
        ids = sources.due(session, now, errand.began, kinds, errand.only, _batch(context))
        claimed = sources.claim(session, ids, context.owner, now) if ids else []
        killpoint("before_claim_commit")
    return claimed


def _waiting(context: Context, errand: Errand, kinds: Collection[SourceKind]) -> int:
    with context.database.reading() as session:
        return len(sources.due(session, context.now(), errand.began, kinds, errand.only, 10_000))


def _pass(context: Context, errand: Errand) -> Pass:
    terms = {watch.id: watch for watch in context.config.watches()}

    def concerns(watch_id: str, title: str) -> bool:
        return watch_id not in terms or terms[watch_id].concerns(title)

    table = context.config.milestones.table
    return Pass(errand.run_id, errand.began, table, concerns, context.now(), context.today())


def validators_of(context: Context, source: Source) -> Validators | None:
    """The server's own validators, except on every n-th pass: servers lie (S34)."""
    if source.snapshot_id is None or source.conditional_passes >= context.config.manners.full_read_every:
        return None
    return Validators(source.etag, source.last_modified)


def _capture(context: Context, fetcher: Fetcher, source: Source) -> Capture:
    kind = SourceKind(source.kind)
    try:
        answer = fetch(context, fetcher, kind, source.url, validators_of(context, source))
    except FetchError as error:
        return Capture(source, error=error, page=error.page)
    killpoint("after_fetch")
    if isinstance(answer, NotModified):
        return Capture(source, reading=Reading(Verdict.NOT_MODIFIED))
    return _judge(context, source, kind, answer)


def baseline_of(source: Source) -> Baseline:
    return Baseline(source.sha256, source.fingerprint, source.extractor_version, source.accepted_fingerprint)


def _judge(context: Context, source: Source, kind: SourceKind, page: Page) -> Capture:
    glance = same_at_a_glance(kind, page, baseline_of(source))
    if glance is not None:
        return Capture(source, page, glance)
    reading = read(kind, page, _asked_for(source, page), source.bill)
    before = _before(context, source, kind) if reading.changed else None
    return Capture(source, page, doubt(reading, before, source.accepted_fingerprint), before)


def _asked_for(source: Source, page: Page) -> str:
    """The address the extractor holds the page against: what we asked for, unless a redirect led elsewhere."""
    return source.url if page.final_url == page.url else page.final_url


def _before(context: Context, source: Source, kind: SourceKind) -> Record | None:
    if source.snapshot_id is None:
        return None
    with context.database.reading() as session:
        body = stored(session, source.snapshot_id)
        content_type = session.get_one(Snapshot, source.snapshot_id).content_type
    return again(kind, body, source.url, content_type) if body is not None else None


def _record(context: Context, errand: Errand, captures: Sequence[Capture], report: CheckReport) -> None:
    """T2. Reads that differ get a transaction each; the quiet ones share one."""
    quiet = [one for one in captures if one.reading is not None and not one.reading.changed and _good(one.reading)]
    _write(context, errand, quiet, report)
    for capture in captures:
        if not any(capture is one for one in quiet):
            _write(context, errand, [capture], report)


def _good(reading: Reading) -> bool:
    return reading.verdict in (Verdict.OK, Verdict.NOT_MODIFIED)


def _write(context: Context, errand: Errand, captures: Sequence[Capture], report: CheckReport) -> None:
    if not captures:
        return
    at = _pass(context, errand)
    done: list[tuple[str, Recorded]] = []
    with context.database.transaction() as session:
        for capture in captures:
            source = sources.held(session, capture.source.id, context.owner)
            if source is not None:
                done.append(settle(context, session, at, source, capture))
        killpoint("before_record_commit")
    killpoint("after_record_commit")
    with context.database.reading() as session:
        for outcome, recorded in done:
            tally(session, report, outcome, recorded)


def _read_bulk(context: Context, fetcher: Fetcher, errand: Errand, source: Source, report: CheckReport) -> None:
    captured = bulk.capture(context, fetcher, source, validators_of(context, source))
    at = _pass(context, errand)
    with context.database.transaction() as session:
        held = sources.held(session, source.id, context.owner)
        if held is None:
            return
        outcome, recorded = _settle_bulk(context, session, at, held, captured)
        killpoint("before_record_commit")
    killpoint("after_record_commit")
    with context.database.reading() as session:
        tally(session, report, outcome, recorded)


def _settle_bulk(
    context: Context, session: Session, at: Pass, source: Source, captured: bulk.Captured
) -> tuple[str, Recorded]:
    if captured.error is not None:
        return _settle_error(context, session, at, source, captured.error), Recorded([], [])
    _count_pass(source, Reading(captured.verdict), captured.history)
    if captured.verdict not in (Verdict.OK, Verdict.NOT_MODIFIED):
        made = bulk.fail(context, session, at, source, captured)
        _without_feed(context, session, at, source)
        return "failed", Recorded([], made)
    recorded = bulk.enter(session, at, source, captured)
    good(context, session, at, source)
    return ("changed" if recorded.changes else "unchanged"), recorded


def _without_feed(context: Context, session: Session, at: Pass, source: Source) -> None:
    """While the bulk files cannot be read nobody says which pages have news: they are read at their own pace."""
    if source.kind == SourceKind.BILL_FEED and source.failures >= context.config.notices.fail_after:
        pace = context.config.cadence.of(SourceKind.BILL_PAGE).in_session
        sources.bring_forward(session, SourceKind.BILL_PAGE, at.now + pace)


def settle(context: Context, session: Session, at: Pass, source: Source, capture: Capture) -> tuple[str, Recorded]:
    """Record one capture and say when the source is read next. Returns what to count it as."""
    if capture.error is not None:
        return _settle_error(context, session, at, source, capture.error), Recorded([], [])
    reading = capture.reading
    assert reading is not None
    _count_pass(source, reading, capture.page)
    if not _good(reading):
        return _settle_bad(context, session, at, source, capture, reading)
    recorded = Recorded([], [])
    if reading.changed and capture.page is not None:
        recorded = record.changes_of(session, at, source, capture.page, reading, capture.before)
    elif capture.page is not None and not reading.changed:
        source.etag, source.last_modified = capture.page.validators.etag, capture.page.validators.last_modified
    good(context, session, at, source)
    return ("changed" if recorded.changes else "unchanged"), recorded


def _count_pass(source: Source, reading: Reading, page: Page | None) -> None:
    source.requests += 1
    source.bytes_read += len(page.body) if page is not None else 0
    source.conditional_passes = source.conditional_passes + 1 if reading.verdict is Verdict.NOT_MODIFIED else 0


def good(context: Context, session: Session, at: Pass, source: Source) -> None:
    """A read that can be believed: health, who it verifies, and when the next one is due."""
    if source.failures:
        quarantine.lift(session, source, at.now)
    record.unchanged(source, at.now)
    source.outage_since = None
    key = source.bill
    bill = bills.find(session, key) if key is not None else None
    if bill is not None:
        bill.page_read_at = at.now
    stage = Stage(bill.stage) if bill is not None and bill.stage else None
    # A bill in neither the bulk files nor on a page is not introduced yet: the files will say when it is.
    by_feed = bill is not None and (bill.in_feed or source.snapshot_id is None)
    gap = cadence.interval(context.config, SourceKind(source.kind), at.today, key, stage, by_feed=by_feed)
    sources.release(source, at.now + cadence.spread(gap, random.Random()))


def _settle_bad(
    context: Context, session: Session, at: Pass, source: Source, capture: Capture, reading: Reading
) -> tuple[str, Recorded]:
    if reading.verdict is Verdict.ABSENT and _not_introduced_yet(session, at, source):
        good(context, session, at, source)
        return "unchanged", Recorded([], [])
    record.failed(source, reading.verdict, reading.message, at.now)
    made = quarantine.keep(context.config, session, at, source, capture.page, reading)
    sources.release(source, at.now + cadence.retry(source.failures, random.Random()))
    return "failed", Recorded([], made)


def _not_introduced_yet(session: Session, at: Pass, source: Source) -> bool:
    """A bill the site does not know is no news while its session still runs and it was never seen."""
    bill = bills.find(session, source.bill) if source.bill is not None else None
    if bill is None or source.snapshot_id is not None or bill.session < str(at.today.year):
        return False
    bill.first_read_at = bill.first_read_at or at.now
    return True


def _settle_error(context: Context, session: Session, at: Pass, source: Source, error: FetchError) -> str:
    if isinstance(error, (HostPaused, FetchStopped)):
        # The host wants a pause, or we are stopping: no request was made and the source is not to blame.
        sources.release(source, max(error.retry_at or at.now, at.now + timedelta(seconds=1)))
        return "blocked" if isinstance(error, HostPaused) else "postponed"
    record.failed(source, error.verdict, str(error), at.now, of_host=error.host_fault)
    source.requests += 1
    _without_feed(context, session, at, source)
    wait = at.now + cadence.retry(source.failures, random.Random())
    sources.release(source, cadence.next_read(wait, error.retry_at))
    log.warning("source_failed", source=source.slug, verdict=error.verdict, error=str(error))
    return "blocked" if error.verdict is Verdict.BLOCKED else "failed"


def tally(session: Session, report: CheckReport, outcome: str, recorded: Recorded) -> None:
    """Count one outcome and put its changes into the report's words."""
    if outcome == "postponed":
        return
    report.checked += 1
    setattr(report, outcome, getattr(report, outcome) + 1)
    report.changes += [_change_json(session, change) for change in recorded.changes]
    report.proposals += [proposal.id for proposal in recorded.proposals]


def _change_json(session: Session, change: ChangeRow) -> dict[str, Any]:
    source = session.get(Source, change.source_id) if change.source_id else None
    bill = session.get(Bill, change.bill_id) if change.bill_id else None
    watched = Watch.bill_id == bill.id if bill is not None else Watch.source_id == change.source_id
    watch = session.scalars(select(Watch.id).where(watched, Watch.active).order_by(Watch.id)).first()
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


def _finish(context: Context, fetcher: Fetcher, errand: Errand, report: CheckReport) -> None:
    """The calendar's pass, host states, notices to our own people, and the run's end."""
    at = _pass(context, errand)
    with context.database.transaction() as session:
        store_hosts(session, fetcher)
        sources.release_all(session, context.owner)
        recorded = upkeep(session, at, context.config)
        session.flush()
        report.changes += [_change_json(session, change) for change in recorded.changes]
        report.proposals += [proposal.id for proposal in recorded.proposals]
        report.proposals = _still_pending(session, report.proposals)
        notices.outages(session, context.config, at.now)
        notices.announce_proposals(session, context.config, at.now)
        run = session.get_one(Run, errand.run_id)
        run.finished_at = context.now()
        run.counts = {name: value for name, value in report.as_json().items() if isinstance(value, int)}
        killpoint("before_notice_commit")
    killpoint("after_notice_commit")


def _still_pending(session: Session, ids: Sequence[int]) -> list[int]:
    """A proposal that this same run has already superseded is not worth naming."""
    rows = select(Proposal.id).where(Proposal.id.in_(ids), Proposal.state == "pending").order_by(Proposal.id)
    return list(session.scalars(rows))
