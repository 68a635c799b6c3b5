"""What must hold in the tables at every moment nobody is writing, however the last process ended.

``violations(database)`` names every half state; an empty list is a sound database. With ``drained=True`` nothing may
be under way either: no claim, nothing due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monitor.store import snapshots
from monitor.store.database import Database
from monitor.store.schema import (
    Action,
    ChangeRow,
    Delivery,
    Evidence,
    Issue,
    Notice,
    Proposal,
    Snapshot,
    Source,
    Subscription,
    Transition,
)


def violations(database: Database, *, drained_at: datetime | None = None) -> list[str]:
    """Everything that must not be. ``drained_at``: at that moment nothing may be due or claimed any more."""
    found = list(database.problems())
    with database.reading() as session:
        found += snapshots.damaged(session)
        for check in (_snapshots, _ledger, _proposals, _decisions, _deliveries):
            found += check(session)
        if drained_at is not None:
            found += _under_way(session, drained_at)
    return found


def _snapshots(session: Session) -> Iterator[str]:
    rows = {row.id: row for row in session.scalars(select(Snapshot))}
    for row in rows.values():
        if row.base_id is not None and rows[row.base_id].base_id is not None:
            yield f"snapshot {row.id} leans on a delta"
    for source in session.scalars(select(Source)):
        if source.snapshot_id is None:
            if source.sha256 or source.fingerprint or source.etag:
                yield f"{source.slug} has a baseline without a page"
        elif rows[source.snapshot_id].sha256 != source.sha256 or rows[source.snapshot_id].source_id != source.id:
            yield f"{source.slug}: its baseline is not its page"
        elif source.extractor_version is None:
            yield f"{source.slug} has half a baseline"


def _ledger(session: Session) -> Iterator[str]:
    for bill_id, position, times in session.execute(
        select(Action.bill_id, Action.position, func.count())
        .where(Action.gone.is_(False))
        .group_by(Action.bill_id, Action.position)
        .having(func.count() > 1)
    ):
        yield f"bill {bill_id} has {times} actions at place {position}"
    actions = {(row.bill_id, row.date, row.description) for row in session.scalars(select(Action))}
    changes = session.scalars(select(ChangeRow).where(ChangeRow.bill_id.is_not(None)))
    for change in changes:
        if (change.bill_id, change.on, change.quote) not in actions:
            yield f"change {change.id} is of no action"


def _proposals(session: Session) -> Iterator[str]:
    quotes = {row.id: row.quote for row in session.scalars(select(ChangeRow))}
    hashes = set(session.scalars(select(Snapshot.sha256)))
    pending: Counter[tuple[str | None, str]] = Counter()
    for proposal in session.scalars(select(Proposal)):
        if proposal.state == "pending":
            pending[proposal.issue_id, proposal.subject] += 1
        if not proposal.evidence:
            yield f"proposal {proposal.id} proves nothing"
        if proposal.state != "pending" and proposal.decided_at is None:
            yield f"proposal {proposal.id} is {proposal.state} and nobody says when"
        if proposal.state == "superseded" and proposal.superseded_by is None and not proposal.decision_reason:
            yield f"proposal {proposal.id} is superseded by nothing"
    yield from (f"{key} waits {times} times" for key, times in pending.items() if times > 1)
    for evidence in session.scalars(select(Evidence)):
        if evidence.change_id is not None and quotes[evidence.change_id] != evidence.quote:
            yield f"evidence {evidence.id} quotes another change"
        if evidence.snapshot_sha256 is not None and evidence.snapshot_sha256 not in hashes:
            yield f"evidence {evidence.id} cites a page that is not kept"


def _decisions(session: Session) -> Iterator[str]:
    published = session.scalars(select(Transition).where(Transition.corrects_id.is_(None)))
    moves = {row.proposal_id: row for row in published}
    decided = {
        row.id
        for row in session.scalars(select(Proposal).where(Proposal.kind != "review"))
        if row.state in ("approved", "amended")
    }
    yield from (f"proposal {number} was approved and moved nothing" for number in decided - moves.keys())
    yield from (f"transition of proposal {number}, which nobody approved" for number in moves.keys() - decided)
    told = {(row.transition_id, row.subscription_id) for row in session.scalars(select(Delivery))}
    for move in moves.values():
        for one in session.scalars(select(Subscription).where(Subscription.created_at <= move.at)):
            if (move.id, one.id) not in told and one.live and _wants(one, move.issue):
                yield f"subscription {one.id} is not told of transition {move.id}"
    for issue in session.scalars(select(Issue)):
        last = session.scalars(
            select(Transition).where(Transition.issue_id == issue.id).order_by(Transition.id.desc())
        ).first()
        if last is not None and (issue.status, issue.narrative) != (last.to_status, last.narrative_after):
            yield f"{issue.id} does not stand where its last move put it"


def _wants(one: Subscription, issue: Issue) -> bool:
    return not (one.topics or one.issues) or issue.topic_id in one.topics or issue.id in one.issues


def _deliveries(session: Session) -> Iterator[str]:
    twice: Counter[tuple[object, ...]] = Counter()
    readers: dict[str, set[str]] = {}
    for row in session.scalars(select(Delivery)):
        twice[row.transition_id, row.notice_id, row.recipient, row.channel] += 1
        if (row.state == "sent") != (row.sent_at is not None):
            yield f"delivery {row.id} is {row.state} with sent_at {row.sent_at}"
        if (row.state == "sending") != (row.claimed_by is not None) or (row.claimed_by is None) != (
            row.claimed_until is None
        ):
            yield f"delivery {row.id} is {row.state}, claimed by {row.claimed_by} until {row.claimed_until}"
        if row.state in ("sent", "sending") and (row.message_key is None or row.attempts < 1):
            yield f"delivery {row.id} is {row.state} without a message"
        if row.message_key is not None:
            readers.setdefault(row.message_key, set()).add(row.recipient)
    yield from (f"{key} is to be told {times} times" for key, times in twice.items() if times > 1)
    yield from (f"message {key} goes to {who}" for key, who in readers.items() if len(who) > 1)


def _under_way(session: Session, now: datetime) -> Iterator[str]:
    for source in session.scalars(select(Source)):
        if source.claimed_by is not None:
            yield f"{source.slug} is still claimed by {source.claimed_by}"
        if source.active and (source.next_check_at is None or source.next_check_at <= now):
            yield f"{source.slug} is still due"
    for row in session.scalars(select(Delivery).where(Delivery.state.in_(["pending", "sending"]))):
        if row.due_at <= now or row.state == "sending":
            yield f"delivery {row.id} is still {row.state}"
    for proposal in session.scalars(select(Proposal).where(Proposal.notice_id.is_(None))):
        if proposal.state == "pending":
            yield f"nobody was told of proposal {proposal.id}"
    if session.scalar(select(func.count()).select_from(Notice).where(Notice.kind == "proposals")) == 0:
        yield "the maintainers were told nothing"
