"""Read what is due, work out what changed, propose what it means.

T1 claims sources; fetching and reading happen with no transaction open; T2 records each outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import structlog
from sqlalchemy.exc import DBAPIError

from monitor.config.board import Watch
from monitor.fetch import Fetcher
from monitor.model.tracking import SourceKind, Verdict
from monitor.store import sources
from monitor.store.schema import Run, Source
from monitor.workflow import activity, bulk, notices
from monitor.workflow.capture import Capture, capture, validators_of
from monitor.workflow.context import Context
from monitor.workflow.fetching import open_fetcher, store_hosts
from monitor.workflow.killpoints import killpoint
from monitor.workflow.reading import Reading
from monitor.workflow.record import Pass
from monitor.workflow.report import CheckReport, changes_as_json, entry_of, still_pending
from monitor.workflow.settle import is_quiet, settle, settle_bulk, settle_quiet
from monitor.workflow.upkeep import upkeep

log = structlog.get_logger()

#: Seconds between two looks whether the service is to stop.
_GLANCE = 0.25

#: The feed first: it says which status pages have news.
_ROUNDS: Sequence[Collection[SourceKind]] = (
    (SourceKind.BILL_FEED,),
    (SourceKind.ACTS_PAGE, SourceKind.DOCUMENT_LIST, SourceKind.FEED, SourceKind.BILL_PAGE),
)


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
    with open_fetcher(context) as fetcher, _ends_when_asked(context, fetcher):
        try:
            for kinds in _ROUNDS:
                _round(context, fetcher, errand, kinds, report, progress)
        finally:
            report.requests = fetcher.requests
            _finish(context, fetcher, errand, report)
            _log(context, errand, report)
    return report


def _log(context: Context, errand: Errand, report: CheckReport) -> None:
    """One line for every pass that asked anybody anything: a quiet journal would look like a dead service."""
    if report.checked:
        counts = {name: value for name, value in report.as_json().items() if isinstance(value, int)}
        seconds = (context.now() - errand.began).total_seconds()
        log.info(
            "pass", **counts, changes=len(report.changes), proposals=len(report.proposals), seconds=round(seconds, 1)
        )


@contextmanager
def _ends_when_asked(context: Context, fetcher: Fetcher) -> Iterator[None]:
    """A request in flight ends when the service is asked to stop, not when a slow server has finished."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_GLANCE):
            if context.stopping():
                fetcher.stop()
                return

    watcher = threading.Thread(target=watch, name="stop-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


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
            captures = list(_captures(context, fetcher, claimed))
            _record(context, errand, captures, report)
            _heed(context, fetcher, captures)
        progress(report.checked, report.checked + _waiting(context, errand, kinds))


def _captures(context: Context, fetcher: Fetcher, claimed: Sequence[Source]) -> Iterator[Capture]:
    for source in claimed:
        if context.stopping():
            return  # what was claimed and not read is given back at the end of the pass
        yield capture(context, fetcher, source)


def _heed(context: Context, fetcher: Fetcher, captures: Sequence[Capture]) -> None:
    """What a host asked of us, kept at once: a pause it wants must outlive a crash of this pass."""
    if any(one.error is not None for one in captures):
        with context.database.transaction() as session:
            store_hosts(session, fetcher)


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
    @cache
    def terms() -> dict[str, Watch]:
        return {watch.id: watch for watch in context.config.watches()}

    def concerns(watch_id: str, title: str) -> bool:
        return watch_id not in terms() or terms()[watch_id].concerns(title)

    # A clock set back must not make what was just read due again.
    now = max(context.now(), errand.began)
    return Pass(errand.run_id, errand.began, context.config.milestones.table, concerns, now, context.today())


def _record(context: Context, errand: Errand, captures: Sequence[Capture], report: CheckReport) -> None:
    """T2. The quiet reads share one transaction; the others get one each."""
    _write_quiet(context, errand, [one for one in captures if is_quiet(one)], report)
    for one in captures:
        if not is_quiet(one):
            _write_alone(context, errand, one, report)


def _write_quiet(context: Context, errand: Errand, captures: Sequence[Capture], report: CheckReport) -> None:
    if not captures:
        return
    at = _pass(context, errand)
    with context.database.transaction() as session:
        count = settle_quiet(context, session, at, captures)
        killpoint("before_record_commit")
    killpoint("after_record_commit")
    report.add("unchanged", count=count)


def _write_alone(context: Context, errand: Errand, one: Capture, report: CheckReport) -> None:
    """A page that no code of ours can digest spoils its own read only, and a person hears of it."""
    try:
        _write(context, errand, one, report)
    except DBAPIError:
        raise
    except Exception as error:
        log.exception("record_failed", source=one.source.slug)
        bad = replace(one, reading=Reading(Verdict.LAYOUT_CHANGED, _our_fault(error)), before=None)
        _write(context, errand, bad, report)


def _write(context: Context, errand: Errand, one: Capture, report: CheckReport) -> None:
    at = _pass(context, errand)
    with context.database.transaction() as session:
        source = sources.held(session, one.source.id, context.owner)
        if source is None:
            return
        outcome, recorded = settle(context, session, at, source, one)
        activity.tell(session, context.config, recorded.changes, at.now, at.today)
        entry = entry_of(session, recorded)
        killpoint("before_record_commit")
    killpoint("after_record_commit")
    report.add(outcome, entry)


def _read_bulk(context: Context, fetcher: Fetcher, errand: Errand, source: Source, report: CheckReport) -> None:
    try:
        captured = bulk.capture(context, fetcher, source, validators_of(context, source))
        _write_bulk(context, errand, source, captured, report)
    except DBAPIError:
        raise
    except Exception as error:
        log.exception("bulk_failed", source=source.slug)
        _write_bulk(context, errand, source, bulk.Captured(Verdict.LAYOUT_CHANGED, _our_fault(error)), report)


def _our_fault(error: Exception) -> str:
    return f"what was read could not be recorded ({type(error).__name__}: {error}); please report this as a bug"


def _write_bulk(context: Context, errand: Errand, source: Source, captured: bulk.Captured, report: CheckReport) -> None:
    at = _pass(context, errand)
    with context.database.transaction() as session:
        held = sources.held(session, source.id, context.owner)
        if held is None:
            return
        outcome, recorded = settle_bulk(context, session, at, held, captured)
        activity.tell(session, context.config, recorded.changes, at.now, at.today)
        entry = entry_of(session, recorded)
        killpoint("before_record_commit")
    killpoint("after_record_commit")
    report.add(outcome, entry)


def _finish(context: Context, fetcher: Fetcher, errand: Errand, report: CheckReport) -> None:
    """The calendar's pass, host states, notices to our own people, and the run's end."""
    at = _pass(context, errand)
    with context.database.transaction() as session:
        store_hosts(session, fetcher)
        sources.release_all(session, context.owner)
        recorded = upkeep(session, at, context.config)
        session.flush()
        report.changes += changes_as_json(session, recorded.changes)
        report.proposals += [proposal.id for proposal in recorded.proposals]
        report.proposals = still_pending(session, report.proposals)
        notices.outages(session, context.config, at.now)
        notices.announce_proposals(session, context.config, at.now)
        run = session.get_one(Run, errand.run_id)
        run.finished_at = context.now()
        run.counts = {name: value for name, value in report.as_json().items() if isinstance(value, int)}
        killpoint("before_notice_commit")
    killpoint("after_notice_commit")
