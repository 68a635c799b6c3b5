"""Captures that cannot be believed: kept as evidence, put before a person, forgotten when the page recovers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.tracking import Page, ProposalState, Verdict
from monitor.store import bills, proposals, snapshots
from monitor.store.schema import Evidence, Proposal, Source
from monitor.workflow import propose
from monitor.workflow.reading import Reading
from monitor.workflow.record import Pass

#: The site's own troubles, often of all its pages at once: the operators hear of them, no maintainer can decide them.
_OF_THE_SITE = frozenset({Verdict.SOFT_ERROR, Verdict.TRUNCATED})

#: These may pass: a person is asked only once they have lasted.
_PASSING = frozenset({Verdict.ABSENT, Verdict.LAYOUT_CHANGED, Verdict.WRONG_PAGE})


def keep(
    config: Config, session: Session, at: Pass, source: Source, page: Page | None, reading: Reading
) -> list[Proposal]:
    """Store the capture, and ask a person about it when it is time to."""
    snapshot = None
    if page is not None:
        snapshot = snapshots.keep_evidence(session, source, page, reading.verdict)
    if reading.verdict in _OF_THE_SITE:
        return []
    if reading.verdict in _PASSING and source.failures < config.notices.fail_after:
        return []
    evidence = Evidence(
        url=source.url,
        quote=reading.message,
        first_seen_at=at.now,
        snapshot_sha256=snapshot.sha256 if snapshot else None,
    )
    subject = _subject(source, reading, at.now)
    reason = f"Quarantined: {reading.message}"
    bill = bills.find(session, source.bill) if source.bill is not None else None
    made = propose.review(session, subject, reason, [evidence], at.now, bill=bill, source=source)
    return [made] if made is not None else []


def _subject(source: Source, reading: Reading, now: datetime) -> str:
    """An outage asks once; but a shrunk page that is not the one a person accepted is another question."""
    subject = f"quarantine:{source.slug}:{source.outage_since or now:%Y-%m-%dT%H:%M}"
    is_other = reading.verdict is Verdict.SHRUNK and source.accepted_fingerprint is not None
    return f"{subject}:{reading.fingerprint}" if is_other else subject


def lift(session: Session, source: Source, now: datetime) -> None:
    """The page reads well again: nobody needs to decide about the bad captures any more."""
    close(session, open_about(session, f"quarantine:{source.slug}:"), now)


def open_about(session: Session, prefix: str) -> list[Proposal]:
    """Doubts nobody has settled, by how their subject begins."""
    rows = select(Proposal).where(
        Proposal.state == ProposalState.PENDING, Proposal.subject.startswith(prefix, autoescape=True)
    )
    return list(session.scalars(rows))


def close(session: Session, doubts: Sequence[Proposal], now: datetime) -> None:
    """What was doubted reads well again."""
    for proposal in doubts:
        proposals.supersede(session, proposal, None, now, "The page reads well again.")
