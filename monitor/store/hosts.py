"""How each host fares, between runs."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.store.schema import Host

FIELDS = ("not_before", "failures", "robots", "robots_status", "robots_at", "outage_since", "last_error")


def load(session: Session) -> list[Host]:
    return list(session.scalars(select(Host)))


def row(session: Session, host: str) -> Host:
    """The host's row, made when it is met for the first time."""
    found = session.get(Host, host)
    if found is None:
        found = Host(host=host, failures=0, last_error="")
        session.add(found)
    return found
