"""Raw bytes, kept small: a body is compressed against an earlier one of the same source."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import zstandard
from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session, aliased, undefer

from monitor.model.tracking import Page, Verdict
from monitor.store.schema import Action, ChangeRow, Evidence, Snapshot, Source

#: Deltas refer to a whole body, never to another delta, so reading one costs the same for ever.
#: Once a delta outgrows this share of the body, the body is stored whole and becomes the new base.
_REBASE_SHARE = 0.10
_LEVEL = 6


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def pack(body: bytes, base: bytes | None) -> bytes:
    """Compress ``body``, with ``base`` as dictionary if given."""
    dictionary = _dictionary(base)
    size = len(body) + (len(base) if base else 0)
    parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, source_size=size, enable_ldm=base is not None)
    return zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters).compress(body)


def unpack(data: bytes, base: bytes | None) -> bytes:
    """The inverse of :func:`pack`."""
    return zstandard.ZstdDecompressor(dict_data=_dictionary(base), max_window_size=2**31).decompress(data)


def _dictionary(base: bytes | None) -> zstandard.ZstdCompressionDict | None:
    if not base:
        return None
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


class DamagedError(ValueError):
    """A saved page is no longer what was received."""


def body_of(session: Session, snapshot_id: int) -> bytes:
    """The exact bytes as received. Raises DamagedError when the store no longer holds what it hashed."""
    snapshot = session.get_one(Snapshot, snapshot_id, options=[undefer(Snapshot.body)])
    return _whole(snapshot, body_of(session, snapshot.base_id) if snapshot.base_id else None)


def _whole(snapshot: Snapshot, base: bytes | None) -> bytes:
    try:
        # Looked at first: a flipped bit here would ask for gigabytes.
        size = zstandard.frame_content_size(snapshot.body)
        body = unpack(snapshot.body, base) if size == snapshot.size else b""
    except zstandard.ZstdError as error:
        raise DamagedError(f"snapshot {snapshot.id} is damaged: {error}") from error
    if len(body) != snapshot.size or sha256(body) != snapshot.sha256:
        raise DamagedError(f"snapshot {snapshot.id} is damaged: its bytes no longer match {snapshot.sha256}")
    return body


def _base_for(session: Session, source_id: int) -> tuple[Snapshot | None, bytes | None]:
    newest_whole = (
        select(Snapshot)
        .where(Snapshot.source_id == source_id, Snapshot.base_id.is_(None), Snapshot.verdict == Verdict.OK)
        .order_by(Snapshot.id.desc())
        .options(undefer(Snapshot.body))
    )
    base = session.scalars(newest_whole.limit(1)).first()
    try:
        return base, _whole(base, None) if base is not None else None
    except DamagedError:
        return None, None  # what follows is stored whole and becomes the new base


def add(session: Session, source: Source, page: Page, verdict: Verdict) -> Snapshot:
    """Keep one capture; a failed capture is evidence too, and never becomes anyone's base."""
    base, base_body = _base_for(session, source.id)
    packed = pack(page.body, base_body)
    if base is not None and len(packed) > _REBASE_SHARE * len(page.body):
        base, packed = None, pack(page.body, None)
    snapshot = Snapshot(
        source_id=source.id,
        base_id=base.id if base else None,
        sha256=sha256(page.body),
        size=len(page.body),
        body=packed,
        verdict=verdict,
        url=page.final_url,
        content_type=page.content_type,
        fetched_at=page.fetched_at,
    )
    session.add(snapshot)
    session.flush()
    return snapshot


def kept_already(session: Session, source: Source, page: Page) -> Snapshot | None:
    """The same bytes of the same source, if we hold them: bad bytes that repeat are stored once."""
    same = select(Snapshot).where(Snapshot.source_id == source.id, Snapshot.sha256 == sha256(page.body))
    return session.scalars(same.order_by(Snapshot.id.desc()).limit(1)).first()


def keep_evidence(session: Session, source: Source, page: Page, verdict: Verdict) -> Snapshot:
    """Keep a capture that cannot be believed; the same bad bytes are stored once."""
    return kept_already(session, source, page) or add(session, source, page, verdict)


def prune_failures(session: Session, before: datetime, keep: int = 3) -> int:
    """Forget failed captures older than ``before`` that nothing points to, but a source's newest ``keep``."""
    newer = aliased(Snapshot)
    rank = (
        select(func.count())
        .where(newer.source_id == Snapshot.source_id, newer.verdict != Verdict.OK, newer.id > Snapshot.id)
        .correlate(Snapshot)
        .scalar_subquery()
    )
    return _forget(session, before, Snapshot.verdict != Verdict.OK, rank >= keep)


def prune_accepted(session: Session, before: datetime) -> int:
    """Forget accepted captures older than ``before`` that nothing points to and no other capture is packed against."""
    bases = select(aliased(Snapshot).base_id)
    return _forget(session, before, Snapshot.verdict == Verdict.OK, Snapshot.id.not_in(_known(bases)))


def _forget(session: Session, before: datetime, *which: ColumnElement[bool]) -> int:
    used = or_(
        Snapshot.id.in_(_known(select(ChangeRow.snapshot_id))),
        Snapshot.id.in_(_known(select(Action.snapshot_id))),
        Snapshot.id.in_(_known(select(Source.snapshot_id))),
        Snapshot.sha256.in_(_known(select(Evidence.snapshot_sha256))),
    )
    doomed = delete(Snapshot).where(Snapshot.fetched_at < before, *which, ~used).returning(Snapshot.id)
    return len(session.scalars(doomed.execution_options(synchronize_session=False)).all())


def _known(column: Select[Any]) -> Select[Any]:
    """Without its NULLs: in SQL nothing is outside a list that holds one."""
    return column.where(column.selected_columns[0].is_not(None))


def find(session: Session, sha256: str) -> Snapshot | None:
    """A saved page by its hash; the same bytes of two sources are the same page."""
    return session.scalars(select(Snapshot).where(Snapshot.sha256 == sha256).order_by(Snapshot.id).limit(1)).first()


def good_before(session: Session, snapshot: Snapshot) -> Snapshot | None:
    """The last page of the same source, before this one, that was believed."""
    earlier = select(Snapshot).where(
        Snapshot.source_id == snapshot.source_id, Snapshot.id < snapshot.id, Snapshot.verdict == Verdict.OK
    )
    return session.scalars(earlier.order_by(Snapshot.id.desc()).limit(1)).first()


def damaged(session: Session) -> list[str]:
    """Every saved page that is no longer what was received."""
    found = []
    for snapshot_id in session.scalars(select(Snapshot.id).order_by(Snapshot.id)):
        try:
            body_of(session, snapshot_id)
        except DamagedError as error:
            found.append(str(error))
        session.expunge_all()
    return found
