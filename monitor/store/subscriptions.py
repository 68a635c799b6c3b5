"""Who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from monitor.model.messaging import Cadence, ChannelKind
from monitor.store import outbox
from monitor.store.schema import Delivery, Subscription

#: Addresses looked up at a time; engines limit how many a question may name.
_CHUNK = 1_000


def find(session: Session, channel: ChannelKind, address: str) -> Subscription | None:
    rows = select(Subscription).where(Subscription.channel == channel, Subscription.address == address)
    return session.scalars(rows).first()


@dataclass(frozen=True, slots=True)
class Entry:
    """What one address is to be told, and how often."""

    channel: ChannelKind
    address: str
    topics: tuple[str, ...]
    issues: tuple[str, ...]
    cadence: Cadence


@dataclass(frozen=True, slots=True)
class Put:
    """How many subscriptions are new, how many changed, and the entries left out because their addresses have left."""

    new: int
    changed: int
    left: tuple[Entry, ...] = ()


def put(session: Session, entries: Sequence[Entry], now: datetime, *, back: bool = True) -> Put:
    """Add subscriptions, or change those the addresses have.

    ``back`` brings back addresses that have left, as somebody asked for by name; without it they are left out.
    """
    known = _known(session, [entry.address for entry in entries])
    fresh: dict[tuple[str, str], Entry] = {}
    left: dict[tuple[str, str], Entry] = {}
    changed = 0
    for entry in entries:
        key = entry.channel, entry.address
        row = known.get(key)
        if row is not None and row.left_at is not None and not back:
            left[key] = entry
            continue
        changed += row is not None or key in fresh
        if row is None:
            fresh[key] = entry
        else:
            _change(row, entry)
    session.flush()
    if fresh:
        session.execute(insert(Subscription), [asdict(entry) | {"created_at": now} for entry in fresh.values()])
    return Put(len(fresh), changed, tuple(left.values()))


def _change(row: Subscription, entry: Entry) -> None:
    row.topics, row.issues, row.cadence = list(entry.topics), list(entry.issues), entry.cadence
    row.left_at, row.broken_at, row.broken_reason = None, None, ""


def _known(session: Session, addresses: Sequence[str]) -> dict[tuple[str, str], Subscription]:
    found: dict[tuple[str, str], Subscription] = {}
    for start in range(0, len(addresses), _CHUNK):
        chunk = select(Subscription).where(Subscription.address.in_(addresses[start : start + _CHUNK]))
        found |= {(row.channel, row.address): row for row in session.scalars(chunk)}
    return found


def leave(session: Session, row: Subscription, now: datetime) -> None:
    """Nothing more is told to this address; what still waited for it is cancelled."""
    row.left_at = row.left_at or now
    waiting = select(Delivery.id).where(Delivery.subscription_id == row.id, Delivery.state == "pending")
    outbox.cancel(session, list(session.scalars(waiting)), "the subscriber has left")


def listing(session: Session, *, everyone: bool = False) -> list[Subscription]:
    """Live subscriptions by id; ``everyone`` adds those that left or cannot be reached."""
    rows = select(Subscription).order_by(Subscription.id)
    if not everyone:
        rows = rows.where(Subscription.left_at.is_(None), Subscription.broken_at.is_(None))
    return list(session.scalars(rows))
