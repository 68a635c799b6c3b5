"""A verdict on every capture, before any change is believed."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from monitor.diff import lost_most
from monitor.extract.base import ExtractError, Extractor
from monitor.extract.registry import EXTRACTORS
from monitor.model.legislature import Bill, BillKey, Record
from monitor.model.tracking import Page, SourceKind, Verdict
from monitor.store.snapshots import DamagedError, body_of, sha256

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the last good read left behind. ``body`` is None before the first."""

    sha256: str | None = None
    fingerprint: str | None = None
    extractor_version: int | None = None
    accepted_fingerprint: str | None = None
    url: str = ""
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one capture turned out to be. ``record`` and ``before`` are set when it is ok and differs."""

    verdict: Verdict
    message: str = ""
    fingerprint: str | None = None
    record: Record | None = None

    @property
    def is_good(self) -> bool:
        """Whether it can be believed."""
        return self.verdict in (Verdict.OK, Verdict.NOT_MODIFIED)

    @property
    def changed(self) -> bool:
        return self.record is not None


def same_at_a_glance(kind: SourceKind, page: Page, baseline: Baseline) -> Reading | None:
    """The cheap answer that settles most passes: same significant text, or same bytes."""
    if _same_text(EXTRACTORS[kind], page.body, baseline) or _same_bytes(page.body, baseline):
        return Reading(Verdict.OK, fingerprint=baseline.fingerprint)
    return None


def _same_text(extractor: Extractor, body: bytes, baseline: Baseline) -> bool:
    if baseline.fingerprint is None or baseline.extractor_version != extractor.version:
        return False
    return extractor.fingerprint(body) == baseline.fingerprint


def _same_bytes(body: bytes, baseline: Baseline) -> bool:
    return baseline.sha256 is not None and sha256(body) == baseline.sha256


def read(kind: SourceKind, page: Page, url: str, bill: BillKey | None) -> Reading:
    """Extract a capture that differs. A page that fails its landmarks gets its verdict, never a record.

    ``bill`` is the one that was asked for: a redirect can lead to a page that is well, and another bill's.
    """
    extractor = EXTRACTORS[kind]
    try:
        record = extractor.extract(page.body, url=url, content_type=page.content_type)
    except ExtractError as error:
        return Reading(error.verdict, str(error), fingerprint=extractor.fingerprint(page.body))
    if isinstance(record, Bill) and bill is not None and record.key != bill:
        return Reading(Verdict.WRONG_PAGE, f"asked for {bill}, {page.final_url} shows {record.key}")
    return Reading(Verdict.OK, fingerprint=extractor.fingerprint(page.body), record=record)


def doubt(reading: Reading, before: Record | None, accepted_fingerprint: str | None) -> Reading:
    """A history that lost most of its rows is put before a person instead of being believed."""
    if not isinstance(reading.record, Bill) or not isinstance(before, Bill):
        return reading
    if accepted_fingerprint is not None and reading.fingerprint == accepted_fingerprint:
        return reading
    if not lost_most(before.actions, reading.record.actions):
        return reading
    message = (
        f"{reading.record.key.label}'s history fell from {len(before.actions)} rows to {len(reading.record.actions)}. "
        "The last good page still counts; look at the saved page and accept it or keep the last good one."
    )
    return Reading(Verdict.SHRUNK, message, fingerprint=reading.fingerprint)


def again(kind: SourceKind, body: bytes, url: str, content_type: str | None) -> Record | None:
    """Today's reading of a stored body, so that a changed extractor changes no history.

    None when today's extractor cannot read it any more: then there is nothing to compare with.
    """
    try:
        return EXTRACTORS[kind].extract(body, url=url, content_type=content_type)
    except ExtractError:
        return None


def stored(session: Session, snapshot_id: int) -> bytes | None:
    """A stored body; None when it is damaged: then the ledger alone says what is new, and the next read heals it."""
    try:
        return body_of(session, snapshot_id)
    except DamagedError as error:
        log.error("snapshot_damaged", snapshot=snapshot_id, error=str(error), do="run: monitor db check")
        return None
