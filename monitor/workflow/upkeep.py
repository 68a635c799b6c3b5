"""What time alone brings about: hearings pass, sessions end, deadlines run out, rows stay away, sources fall silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret import sessions
from monitor.interpret import status as interpret
from monitor.interpret.actions import classify, hearing_day
from monitor.interpret.sentences import plain_day
from monitor.model.legislature import ActionRow, StageReading
from monitor.model.tracking import ChangeKind, SourceKind
from monitor.store import bills, proposals
from monitor.store.schema import Action, Bill, ChangeRow, Evidence, Proposal, Run, Snapshot, Source
from monitor.workflow import propose, record
from monitor.workflow.context import EASTERN
from monitor.workflow.record import Pass, Recorded

#: Servers behind a load balancer take turns with older copies: a row must stay away this long to be gone.
GONE_AFTER = timedelta(hours=20)

#: The feed is written nightly and pages at once: only after this do two channels disagree.
DISAGREE_AFTER = timedelta(days=3)


def upkeep(session: Session, at: Pass, config: Config) -> Recorded:
    """What the calendar may have moved. Once a day, but for rows that stay away."""
    recorded = _vanished(session, at)
    if not _is_new_day(session, at):
        return recorded
    stale = bills.stage_read_before(session, at.today)
    histories = bills.histories(session, [bill.id for bill in stale])
    feed_read_at = session.scalars(select(Source.last_good_at).where(Source.kind == SourceKind.BILL_FEED)).first()
    for bill in stale:
        recorded.proposals += _new_day(session, at, bill, histories[bill.id], bills.verified_at(bill, feed_read_at))
    recorded.proposals += _disagreements(session, at)
    recorded.proposals += _lone_acts(session, at)
    recorded.proposals += _quiet(session, at, config)
    return recorded


def _is_new_day(session: Session, at: Pass) -> bool:
    """Whether no pass has finished yet on this day, Connecticut's."""
    last = session.scalars(select(Run.finished_at).where(Run.finished_at.is_not(None)).order_by(Run.id.desc())).first()
    return last is None or last.astimezone(EASTERN).date() < at.today


def _new_day(
    session: Session, at: Pass, bill: Bill, rows: Sequence[ActionRow], read_at: datetime | None
) -> list[Proposal]:
    """The same rows on a new day: the bill may have died, its hearing may be over, the governor's time may be up."""
    before = record.stage_of(bill)
    now = record.restage(bill, rows, at.today, read_at)
    hearings = _hearings(bill, rows, at.today)
    events = interpret.events(bill.key, before, now, [], []) + hearings
    made = _unsigned(session, at, bill, now)
    if not events:
        return made
    evidence = _overtaken(session, at, bill, before, now, noticed=bill.heard_on if events == hearings else None)
    return made + propose.about_bill(session, at.policy, bill, propose.News(events, before, now, [evidence]), at.now)


def _hearings(bill: Bill, rows: Sequence[ActionRow], today: date) -> list[interpret.Event]:
    """Hearings over and not yet told. Old news are those before we first read, and those a vote has come after."""
    told = bill.heard_on or _first_day(bill) - timedelta(days=1)
    voted = max((row.date for row in rows if _is_vote(row)), default=told)
    over = sorted({day for day in map(hearing_day, rows) if day is not None and max(told, voted) < day < today})
    if over:
        bill.heard_on = over[-1]
    return [interpret.hearing_event(bill.key, day) for day in over]


def _is_vote(row: ActionRow) -> bool:
    return any(term in interpret.ACTION_MILESTONES for term in classify(row.description).classification)


def _first_day(bill: Bill) -> date:
    return bill.first_read_at.astimezone(EASTERN).date() if bill.first_read_at else date.max


def _overtaken(
    session: Session,
    at: Pass,
    bill: Bill,
    before: StageReading | None,
    now: StageReading,
    noticed: date | None = None,
) -> Evidence:
    """Nothing new was published: the evidence is the row that time has overtaken, the last or the hearing's notice."""
    standing = [action for action in bills.ledger(session, bill.id) if not action.gone]
    if not standing:
        return Evidence(url="", quote="No action is on record.", first_seen_at=at.now)
    notices = [one for one in standing if noticed and hearing_day(ActionRow(one.date, one.description)) == noticed]
    evidence = _row(session, (notices or standing)[-1])
    evidence.before, evidence.after = before.stage.label if before else "", now.stage.label
    return evidence


def _row(session: Session, action: Action) -> Evidence:
    source = session.get_one(Source, action.source_id)
    snapshot = session.get(Snapshot, action.snapshot_id) if action.snapshot_id else None
    return Evidence(
        url=snapshot.url if snapshot else source.url,
        quote=action.description,
        action_date=action.date,
        first_seen_at=action.first_seen_at,
        snapshot_sha256=snapshot.sha256 if snapshot else None,
    )


def _unsigned(session: Session, at: Pass, bill: Bill, now: StageReading) -> list[Proposal]:
    if now.unsigned_deadline is None:
        return []
    evidence = _overtaken(session, at, bill, None, now)
    subject = f"unsigned:{bill.session}-{bill.identifier}"
    made = propose.review(session, subject, now.reason, [evidence], at.now, bill=bill)
    return [made] if made is not None else []


def _vanished(session: Session, at: Pass) -> Recorded:
    recorded = Recorded([], [])
    rows = [action for action in bills.vanished(session, at.now - GONE_AFTER) if _looked_again(session, action)]
    for bill_id in dict.fromkeys(action.bill_id for action in rows):
        bill = session.get_one(Bill, bill_id)
        recorded += _settle_removals(session, at, bill, [action for action in rows if action.bill_id == bill_id])
    return recorded


def _looked_again(session: Session, action: Action) -> bool:
    """One old copy proves nothing: whoever showed the row must have been read well without it since."""
    read_at = session.get_one(Source, action.source_id).last_good_at
    return action.removed_at is not None and read_at is not None and read_at - action.removed_at >= GONE_AFTER


def _settle_removals(session: Session, at: Pass, bill: Bill, rows: Sequence[Action]) -> Recorded:
    """Rows the legislature took back: the stage is read again, and a lost law or vote suggests the way back."""
    changes = []
    for action in rows:
        action.gone = True
        source = session.get_one(Source, action.source_id)
        change = record.change_of(at, source, None, bill, action, ChangeKind.ACTION_REMOVED, "", source.url)
        change.snapshot_id, change.before, change.after = action.snapshot_id, action.description, ""
        changes.append(change)
    session.add_all(changes)
    session.flush()
    before = record.stage_of(bill)
    now = record.restage(bill, bills.history(bills.ledger(session, bill.id)), at.today, at.now)
    events = interpret.events(bill.key, before, now, [], []) if before and before.stage != now.stage else []
    taken = f"The record no longer shows {_listed(changes)} for {bill.key.label}."
    events = [replace(event, sentence=f"{taken} {event.sentence}") for event in events]
    evidence = [proposals.evidence_of(session, change, before.stage.label if before else "", "") for change in changes]
    news = propose.News(events, before, now, evidence)
    return Recorded(changes, propose.about_bill(session, at.policy, bill, news, at.now))


def _listed(changes: Sequence[ChangeRow]) -> str:
    return " and ".join(f"“{change.quote}”" for change in changes)


def _disagreements(session: Session, at: Pass) -> list[Proposal]:
    """Rows that one channel has shown for days and another, read well since, does not have."""
    feed = session.scalars(
        select(Source).where(Source.kind == SourceKind.BILL_FEED, Source.active, Source.last_good_at.is_not(None))
    ).first()
    if feed is None:
        return []
    alone = (
        select(Action, Bill)
        .join(Bill, Bill.id == Action.bill_id)
        .where(
            Bill.session == feed.session,
            Bill.in_feed,
            Bill.page_read_at.is_not(None),
            Action.in_feed != Action.in_page,
            Action.removed_at.is_(None),
            Action.gone.is_(False),
            Action.first_seen_at < at.now - DISAGREE_AFTER,
        )
    )
    rows = [(action, bill) for action, bill in session.execute(alone) if _other_channel_read(bill, feed, action)]
    made = [_disagreement(session, at, bill, action) for action, bill in rows]
    return [proposal for proposal in made if proposal is not None]


def _other_channel_read(bill: Bill, feed: Source, action: Action) -> bool:
    if classify(action.description).phrase == "unclassified":
        return False
    other = bill.page_read_at if action.in_feed else feed.last_changed_at
    return other is not None and other > action.first_seen_at + DISAGREE_AFTER


def _disagreement(session: Session, at: Pass, bill: Bill, action: Action) -> Proposal | None:
    row = f"“{action.description}” for {bill.key.label}"
    reason = f"The bulk files show {row}; the status page does not. Which is right?"
    if action.in_page:
        reason = f"The status page shows {row}; the bulk files do not. Which is right?"
    return propose.review(session, f"channels:{action.id}", reason, [_row(session, action)], at.now, bill=bill)


def _lone_acts(session: Session, at: Pass) -> list[Proposal]:
    """An act in the list of all acts whose bill shows neither act number nor signature: a row we may have missed."""
    made = []
    for bill in session.scalars(select(Bill).where(Bill.act_seen_at < at.now - DISAGREE_AFTER)):
        if bill.stage is not None and not _shows_act(session, bill):
            name = bill.key.label
            reason = f"The list of all acts has {name} as {bill.act}; its history shows no act and no signature."
            evidence = Evidence(url=_acts_url(session), quote=str(bill.act), first_seen_at=bill.act_seen_at)
            subject = f"act:{bill.session}-{bill.identifier}:{bill.act}"
            made.append(propose.review(session, subject, reason, [evidence], at.now, bill=bill))
    return [proposal for proposal in made if proposal is not None]


def _shows_act(session: Session, bill: Bill) -> bool:
    terms = {"act-number", "executive-signature", "executive-veto"}
    return any(terms & set(classify(one.description).classification) for one in bills.ledger(session, bill.id))


def _acts_url(session: Session) -> str:
    return session.scalars(select(Source.url).where(Source.kind == SourceKind.ACTS_PAGE)).first() or ""


def _quiet(session: Session, at: Pass, config: Config) -> list[Proposal]:
    """In session the bulk files change every working day: silence means that something stopped."""
    limit = at.now - config.notices.quiet_after
    feed = session.scalars(
        select(Source).where(Source.kind == SourceKind.BILL_FEED, Source.active, Source.last_changed_at < limit)
    ).first()
    if feed is None or not _sat_long_enough(at.today, limit):
        return []
    since = plain_day(feed.last_changed_at.date()) if feed.last_changed_at else "the start"
    reason = (
        f"{feed.slug} has not changed since {since}, though the legislature is in session. Is it still being written?"
    )
    evidence = Evidence(url=feed.url, quote=f"unchanged since {since}", first_seen_at=at.now)
    made = propose.review(session, f"quiet:{feed.slug}:{since}", reason, [evidence], at.now, source=feed)
    return [made] if made is not None else []


def _sat_long_enough(today: date, limit: datetime) -> bool:
    return sessions.in_session(today) and sessions.in_session(limit.date())
