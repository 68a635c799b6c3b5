"""How each host fares, between runs; and each channel by which we tell people, which fares likewise."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.store.schema import Host

FIELDS = ("not_before", "failures", "robots", "robots_status", "robots_at", "outage_since", "last_error")

#: "channel:email" is no host: a port is a number.
_CHANNEL = "channel:"


def load(session: Session) -> list[Host]:
    """The hosts that are read."""
    return list(session.scalars(select(Host).where(~Host.host.startswith(_CHANNEL)).order_by(Host.host)))


def channels(session: Session) -> dict[str, Host]:
    """The channels that have ever been in trouble, by kind."""
    rows = session.scalars(select(Host).where(Host.host.startswith(_CHANNEL)).order_by(Host.host))
    return {row.host.removeprefix(_CHANNEL): row for row in rows}


def channel_down(session: Session, kind: str, why: str, now: datetime) -> Host:
    """One more failure of a channel as a whole."""
    found = row(session, f"{_CHANNEL}{kind}")
    found.failures += 1
    found.outage_since = found.outage_since or now
    found.last_error = why
    return found


def row(session: Session, host: str) -> Host:
    """The host's row, made when it is met for the first time."""
    found = session.get(Host, host)
    if found is None:
        found = Host(host=host, failures=0, last_error="")
        session.add(found)
    return found
