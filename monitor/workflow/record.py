"""What one read leaves behind: snapshot, ledger, changes, proposals, health, next time. One transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.diff import ActionDiff, diff_actions, diff_acts, diff_documents, diff_entries
from monitor.extract.registry import EXTRACTORS
from monitor.interpret import status as interpret
from monitor.interpret.actions import UNCLASSIFIED, classify
from monitor.interpret.stage import read_stage
from monitor.model import legislature
from monitor.model.legislature import ActionRow, ActList, DocumentList, Feed, Record, Stage, StageReading
from monitor.model.tracking import ChangeKind, Page, SourceKind, Verdict
from monitor.store import bills, proposals, snapshots
from monitor.store.schema import Action, Bill, ChangeRow, Proposal, Publication, Snapshot, Source
from monitor.workflow import propose
from monitor.workflow.context import EASTERN
from monitor.workflow.ledger import Channel, Reconciled, meaning, reconcile
from monitor.workflow.reading import Reading

#: How long after adjournment the last night's rows may still be on their way.
_LATE_ROWS = timedelta(days=2)

#: Channels first read within a day of each other are one first sight: a baseline, not news.
FIRST_SIGHT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pass:
    """What the recording of one read needs to know about the pass it belongs to."""

    run_id: int
    began: datetime
    policy: propose.Policy
    concerns: propose.Concerns
    now: datetime
    today: date


@dataclass(slots=True)
class Recorded:
    changes: list[ChangeRow]
    proposals: list[Proposal]

    def __iadd__(self, other: Recorded) -> Recorded:
        self.changes += other.changes
        self.proposals += other.proposals
        return self


def keep(session: Session, source: Source, page: Page, reading: Reading) -> Snapshot:
    """Store the capture as the new baseline, with the server's own validators."""
    snapshot = snapshots.add(session, source, page, reading.verdict)
    source.snapshot_id = snapshot.id
    source.sha256 = snapshot.sha256
    source.fingerprint = reading.fingerprint
    source.extractor_version = EXTRACTORS[SourceKind(source.kind)].version
    source.etag, source.last_modified = page.validators.etag, page.validators.last_modified
    source.accepted_fingerprint = None
    source.last_changed_at = page.fetched_at
    return snapshot


def changes_of(
    session: Session, at: Pass, source: Source, page: Page, reading: Reading, before: Record | None
) -> Recorded:
    """Keep a good, different capture and record what became different since ``before``."""
    snapshot = keep(session, source, page, reading)
    assert reading.record is not None
    recorder = _RECORDERS[type(reading.record)]
    return recorder(session, at, source, snapshot, reading.record, before)


def _bill_page(
    session: Session, at: Pass, source: Source, snapshot: Snapshot, record: legislature.Bill, before: Record | None
) -> Recorded:
    bill = bills.find(session, record.key)
    if bill is None:
        return Recorded([], [])
    bill.title = record.title or bill.title
    was = before.actions if isinstance(before, legislature.Bill) else ()
    is_news = not is_first_sight(bill, bill.page_read_at, at.now)
    bill.page_read_at = at.now
    known = bills.ledger(session, bill.id)
    return bill_read(session, at, source, snapshot, bill, known, was, record.actions, "in_page", is_news)


def is_first_sight(bill: Bill, channel_read_at: datetime | None, now: datetime) -> bool:
    """Whether this read is the channel's first and part of the bill's first sight: a baseline, not news."""
    return channel_read_at is None and (bill.first_read_at is None or now - bill.first_read_at < FIRST_SIGHT)


def bill_read(
    session: Session,
    at: Pass,
    source: Source,
    snapshot: Snapshot | None,
    bill: Bill,
    known: Sequence[Action],
    was: Sequence[ActionRow],
    rows: Sequence[ActionRow],
    channel: Channel,
    is_news: bool,
) -> Recorded:
    """One channel's history of one bill: ledger, stage, changes, proposals."""
    bill.first_read_at = bill.first_read_at or at.now
    diff = diff_actions(was, rows, meaning) if is_news else _since_first_sight(bill, at, rows)
    result = reconcile(known, rows, diff, channel, source=source, snapshot=snapshot, bill_id=bill.id, now=at.now)
    url = snapshot.url if snapshot is not None else source.url
    changes = _action_changes(at, source, snapshot, bill, result, url)
    session.add_all([*result.added, *result.quiet, *changes])
    stage_before = stage_of(bill)
    if not (changes or result.quiet) and stage_before is not None:
        return Recorded([], [])  # the calendar's pass has not read today's stage yet, and must still see it move
    reading = restage(bill, bills.history(result.order), at.today, at.now)
    if not changes:
        return Recorded([], [])
    return Recorded(changes, _propose(session, at, source, bill, result, changes, stage_before, reading))


def _since_first_sight(bill: Bill, at: Pass, rows: Sequence[ActionRow]) -> ActionDiff:
    """A channel's first read is a baseline, but for what was done after an earlier pass had first read the bill."""
    first = bill.first_read_at
    if first is None or first >= at.began:
        return ActionDiff()
    since = first.astimezone(EASTERN).date()
    return ActionDiff(added=tuple(row for row in rows if row.date >= since))


def _action_changes(
    at: Pass, source: Source, snapshot: Snapshot | None, bill: Bill, result: Reconciled, url: str
) -> list[ChangeRow]:
    place = {id(action): index for index, action in enumerate(result.order)}
    added = sorted(result.added, key=lambda action: place[id(action)])
    news = [(action, ChangeKind.ACTION, "") for action in added]
    news += [(action, ChangeKind.ACTION_AMENDED, was) for action, was in result.amended]
    return [change_of(at, source, snapshot, bill, action, kind, before, url) for action, kind, before in news]


def change_of(
    at: Pass,
    source: Source,
    snapshot: Snapshot | None,
    bill: Bill,
    action: Action,
    kind: ChangeKind,
    before: str,
    url: str,
) -> ChangeRow:
    """The change an action row stands for, in the row's own words."""
    canonical = classify(action.description)
    return ChangeRow(
        run_id=at.run_id,
        source_id=source.id,
        bill_id=bill.id,
        snapshot_id=snapshot.id if snapshot else None,
        kind=kind,
        on=action.date,
        quote=action.description,
        url=url,
        before=before,
        after=action.description if before else "",
        phrase=canonical.phrase,
        classification=list(canonical.classification),
        first_seen_at=at.now,
    )


def stage_of(bill: Bill) -> StageReading | None:
    """The stage as last stored, or None before the first read."""
    return StageReading(Stage(bill.stage), bill.stage_since, bill.stage_reason) if bill.stage else None


def restage(bill: Bill, rows: Sequence[ActionRow], today: date, read_at: datetime | None) -> StageReading:
    """Read the whole history again and store what it says.

    ``read_at`` is when any channel last showed the bill well: nobody dies of a record that was not read. The bulk
    file is written at night and chambers vote until midnight, so the read must come well after adjournment.
    """
    reading = read_stage(bill.key, rows, today)
    if reading.stage is Stage.DIED and reading.since is not None:
        adjourned = reading.since - timedelta(days=1)
        if read_at is None or read_at.astimezone(EASTERN).date() <= adjourned + _LATE_ROWS:
            reading = read_stage(bill.key, rows, adjourned)
    bill.stage, bill.stage_since, bill.stage_reason = reading.stage, reading.since, reading.reason
    bill.stage_on = today
    return reading


def _propose(
    session: Session,
    at: Pass,
    source: Source,
    bill: Bill,
    result: Reconciled,
    changes: Sequence[ChangeRow],
    before: StageReading | None,
    now: StageReading,
) -> list[Proposal]:
    history = [(ActionRow(one.date, one.description), classify(one.description)) for one in result.order]
    new = [index for index, action in enumerate(result.order) if any(action is one for one in result.added)]
    events = interpret.events(bill.key, before, now, history, new)
    if not events and all(change.phrase != UNCLASSIFIED for change in changes):
        return []
    session.flush()  # evidence points to changes by their ids
    evidence = [
        proposals.evidence_of(session, change, *_stages(before, now)) for change in _proof(events, result, changes)
    ]
    made = propose.about_bill(session, at.policy, bill, propose.News(events, before, now, evidence), at.now)
    return made + propose.unknown_phrases(session, bill, source, changes, at.now)


def _stages(before: StageReading | None, now: StageReading) -> tuple[str, str]:
    return before.stage.label if before else "", now.stage.label


def _proof(events: Sequence[interpret.Event], result: Reconciled, changes: Sequence[ChangeRow]) -> list[ChangeRow]:
    """The changes that prove the events, the weightiest first: ten seconds must do."""
    quoted = {(change.on, change.quote): change for change in changes}
    rows = [result.order[event.row] for event in events if event.row is not None]
    found = [quoted.get((action.date, action.description)) for action in rows]
    return list(dict.fromkeys(change for change in found if change is not None))


def _publications(
    session: Session, at: Pass, source: Source, snapshot: Snapshot, record: Record, before: Record | None
) -> Recorded:
    """Documents and feed entries: news is what is new on the page and was never listed before."""
    listed, news, title, kind = _listed(record, before)
    seen = set(session.scalars(select(Publication.key).where(Publication.source_id == source.id)))
    fresh = [item for item in listed if item[0] not in seen]
    session.add_all(
        Publication(source_id=source.id, key=key, title=name, url=url, first_seen_at=at.now) for key, name, url in fresh
    )
    first_read = before is None and not seen
    changes = [
        ChangeRow(
            run_id=at.run_id,
            source_id=source.id,
            snapshot_id=snapshot.id,
            kind=kind,
            quote=name,
            url=url,
            first_seen_at=at.now,
        )
        for key, name, url in fresh
        if key in news and not first_read
    ]
    session.add_all(changes)
    session.flush()
    if not changes:
        return Recorded([], [])
    return Recorded(
        changes, propose.about_publications(session, at.policy, at.concerns, source, title, changes, at.now)
    )


def _listed(record: Record, before: Record | None) -> tuple[list[tuple[str, str, str]], set[str], str, ChangeKind]:
    """(key, title, url) of everything listed, the keys that are new since ``before``, the page's title, the kind."""
    if isinstance(record, DocumentList):
        old = before.documents if isinstance(before, DocumentList) else ()
        new = {document.url for document in diff_documents(old, record.documents).added}
        items = [(document.url, document.title, document.url) for document in record.documents]
        return _unique(items), new, record.title, ChangeKind.DOCUMENT
    assert isinstance(record, Feed)
    known = before if isinstance(before, Feed) else Feed(record.title, ())
    fresh = {entry.id for entry in diff_entries(known, record)}
    return (
        _unique([(entry.id, entry.title, entry.url) for entry in record.entries]),
        fresh,
        record.title,
        ChangeKind.ENTRY,
    )


def _unique(items: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return list({item[0]: item for item in reversed(items)}.values())[::-1]


def _acts(
    session: Session, at: Pass, source: Source, snapshot: Snapshot, record: ActList, before: Record | None
) -> Recorded:
    """The list of acts checks the other channels: it makes no change, but an act nobody else shows is followed up."""
    old = before if isinstance(before, ActList) else ActList(())
    for act in diff_acts(old, record).added:
        bill = bills.find(session, act.bill)
        if bill is not None:
            bill.act, bill.act_seen_at = act.number, at.now
    return Recorded([], [])


_RECORDERS: Mapping[type[Record], Callable[..., Recorded]] = {
    legislature.Bill: _bill_page,
    DocumentList: _publications,
    Feed: _publications,
    ActList: _acts,
}


def unchanged(source: Source, now: datetime) -> None:
    """A good read that says what we knew."""
    source.verdict, source.error, source.failures = Verdict.OK, None, 0
    source.last_read_at = source.last_good_at = now


def failed(source: Source, verdict: Verdict, message: str, now: datetime, *, of_host: bool = False) -> None:
    """A read that cannot be believed. The baseline stays; silence is never "no change".

    An outage ``of_host`` has a notice of its own and does not count as this source's.
    """
    source.verdict, source.error = verdict, message[:2000]
    source.failures += 1
    source.last_read_at = now
    if not of_host:
        source.outage_since = source.outage_since or now
