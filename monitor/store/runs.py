"""Passes of ``check``: when the service last looked, and what it did on a day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.store.schema import Run


def last(session: Session) -> Run | None:
    """The newest pass, ended or not."""
    return session.scalars(select(Run).order_by(Run.id.desc()).limit(1)).first()


def between(session: Session, start: datetime, end: datetime) -> list[Run]:
    """The passes that began in a span, oldest first."""
    rows = select(Run).where(Run.started_at >= start, Run.started_at < end).order_by(Run.id)
    return list(session.scalars(rows))
