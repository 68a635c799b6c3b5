"""Sources whose last read failed or is long overdue: what nobody may call unchanged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from monitor.store.board import LATE
from monitor.store.schema import Source


def listing(session: Session, now: datetime) -> list[Source]:
    """The longest unread first; one that was never read well before all."""
    late = Source.next_check_at < now - LATE
    rows = select(Source).where(Source.active, or_(Source.failures > 0, Source.last_good_at.is_(None), late))
    return sorted(session.scalars(rows), key=lambda one: (one.last_good_at is not None, one.last_good_at, one.id))
