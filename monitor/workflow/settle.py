"""T2: what one read leaves on its source: health, verdict, evidence, and when it is read next."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

import structlog
from sqlalchemy.orm import Session

from monitor.fetch import FetchError, FetchStopped, HostPaused
from monitor.interpret import sessions
from monitor.model.legislature import BillKey, Stage
from monitor.model.tracking import SourceKind, Verdict
from monitor.store import bills, snapshots, sources
from monitor.store.schema import Source
from monitor.workflow import bulk, cadence, quarantine, record
from monitor.workflow.capture import Capture
from monitor.workflow.context import Context
from monitor.workflow.reading import Reading
from monitor.workflow.record import Pass, Recorded

log = structlog.get_logger()


def settle_bulk(
    context: Context, session: Session, at: Pass, source: Source, captured: bulk.Captured
) -> tuple[str, Recorded]:
    """The same for the bulk files."""
    if captured.error is not None:
        return _settle_error(context, session, at, source, captured.error), Recorded([], [])
    history = captured.history
    reading = Reading(Verdict.OK if history else captured.verdict)
    _count_pass(source, reading, len(history.body) if history else 0)
    if captured.verdict not in (Verdict.OK, Verdict.NOT_MODIFIED):
        made = bulk.fail(context, session, at, source, captured)
        _without_feed(context, session, at, source)
        return "failed", Recorded([], made)
    recorded = bulk.enter(session, at, source, captured)
    if history is not None:
        source.etag, source.last_modified = history.validators.etag, history.validators.last_modified
    good(context, session, at, source)
    return ("changed" if recorded.changes else "unchanged"), recorded


def is_quiet(capture: Capture) -> bool:
    """A good read of a well source that found nothing new: nearly all of them."""
    reading, source = capture.reading, capture.source
    well = not (source.failures or source.outage_since)
    return well and reading is not None and reading.is_good and not reading.changed


def settle_quiet(context: Context, session: Session, at: Pass, captures: Sequence[Capture]) -> int:
    """Many quiet reads in a few statements. Returns of how many the lease still held; the others write nothing."""
    held = sources.held_ids(session, [one.source.id for one in captures], context.owner)
    states = bills.states_of_pages(session, held)
    ours = [one for one in captures if one.source.id in held]
    for one in ours:
        _seen_again(one.source, one)
        _release(context, at, one.source, states.get(one.source.id))
    sources.write(session, [one.source for one in ours])
    bills.note_page_read(session, [state.bill_id for state in states.values()], at.now)
    return len(ours)


def _without_feed(context: Context, session: Session, at: Pass, source: Source) -> None:
    """While the bulk files cannot be read nobody says which pages have news: they are read at their own pace."""
    lasting = source.failures >= context.config.notices.fail_after
    if source.kind == SourceKind.BILL_FEED and source.session is not None and lasting:
        pace = cadence.interval(context.config, SourceKind.BILL_PAGE, at.today)
        sources.bring_forward(session, SourceKind.BILL_PAGE, source.session, at.now + pace)


def settle(context: Context, session: Session, at: Pass, source: Source, capture: Capture) -> tuple[str, Recorded]:
    """Record one capture and say when the source is read next. Returns what to count it as."""
    if capture.error is not None:
        return _settle_error(context, session, at, source, capture.error), Recorded([], [])
    reading = capture.reading
    assert reading is not None
    if reading.is_good and not reading.changed:
        _seen_again(source, capture)
        good(context, session, at, source)
        return "unchanged", Recorded([], [])
    _count_pass(source, reading, capture.size)
    if not reading.is_good:
        return _settle_bad(context, session, at, source, capture, reading)
    assert capture.page is not None
    recorded = record.changes_of(session, at, source, capture.page, reading, capture.before)
    good(context, session, at, source)
    return ("changed" if recorded.changes else "unchanged"), recorded


def _seen_again(source: Source, capture: Capture) -> None:
    assert capture.reading is not None
    _count_pass(source, capture.reading, capture.size)
    if capture.validators is not None:
        source.etag, source.last_modified = capture.validators.etag, capture.validators.last_modified


def _count_pass(source: Source, reading: Reading, size: int) -> None:
    source.requests += 1
    source.bytes_read += size
    source.conditional_passes = source.conditional_passes + 1 if reading.verdict is Verdict.NOT_MODIFIED else 0


def good(context: Context, session: Session, at: Pass, source: Source) -> None:
    """A read that can be believed: health, who it verifies, and when the next one is due."""
    if source.failures:
        quarantine.lift(session, source, at.now)
    bill = bills.find(session, source.bill) if source.bill is not None else None
    if bill is not None:
        bill.page_read_at = at.now
    _release(context, at, source, bills.PageState(bill.id, bill.stage, bill.in_feed) if bill is not None else None)


def _release(context: Context, at: Pass, source: Source, bill: bills.PageState | None) -> None:
    record.unchanged(source, at.now)
    source.outage_since = None
    stage = Stage(bill.stage) if bill is not None and bill.stage else None
    # A bill in neither the bulk files nor on a page is not introduced yet: the files will say when it is.
    by_feed = bill is not None and (bill.in_feed or source.snapshot_id is None)
    gap = cadence.interval(context.config, SourceKind(source.kind), at.today, source.bill, stage, by_feed=by_feed)
    sources.release(source, at.now + cadence.spread(gap, random.Random()))


def _settle_bad(
    context: Context, session: Session, at: Pass, source: Source, capture: Capture, reading: Reading
) -> tuple[str, Recorded]:
    if reading.verdict is Verdict.ABSENT and _not_introduced_yet(session, at, source):
        good(context, session, at, source)
        return "unchanged", Recorded([], [])
    record.failed(source, reading.verdict, reading.message, at.now)
    log.warning("page_refused", source=source.slug, verdict=reading.verdict, error=reading.message, url=source.url)
    made = quarantine.keep(context.config, session, at, source, capture.page, reading)
    sources.release(source, at.now + cadence.retry(source.failures, random.Random()))
    return "failed", Recorded([], made)


def _not_introduced_yet(session: Session, at: Pass, source: Source) -> bool:
    """A bill the site does not know is no news until its session has ended, if it was never seen."""
    bill = bills.find(session, source.bill) if source.bill is not None else None
    if bill is None or source.snapshot_id is not None or _has_ended(bill.key, at.today):
        return False
    bill.first_read_at = bill.first_read_at or at.now
    return True


def _has_ended(key: BillKey, today: date) -> bool:
    """Of a special session whose end the calendar does not know, the year decides."""
    adjourned = sessions.adjourned_on(key)
    return today > adjourned if adjourned is not None else key.session < str(today.year)


def _settle_error(context: Context, session: Session, at: Pass, source: Source, error: FetchError) -> str:
    if isinstance(error, (HostPaused, FetchStopped)):
        # The host wants a pause, or we are stopping: no request was made and the source is not to blame.
        sources.release(source, max(error.retry_at or at.now, at.now + timedelta(seconds=1)))
        return "blocked" if isinstance(error, HostPaused) else "postponed"
    record.failed(source, error.verdict, str(error), at.now, of_host=error.host_fault)
    source.requests += 1
    if error.page is not None and error.page.body:
        snapshots.keep_evidence(session, source, error.page, error.verdict)
    _without_feed(context, session, at, source)
    wait = at.now + cadence.retry(source.failures, random.Random())
    sources.release(source, cadence.next_read(wait, error.retry_at))
    log.warning("source_failed", source=source.slug, verdict=error.verdict, error=str(error), url=source.url)
    return "blocked" if error.verdict is Verdict.BLOCKED else "failed"
