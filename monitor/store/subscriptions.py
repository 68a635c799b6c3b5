"""Who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, func, insert, or_, select
from sqlalchemy.orm import Session

from monitor.model.messaging import Cadence, ChannelKind, Choice, Interest
from monitor.store import outbox
from monitor.store.database import chunks
from monitor.store.schema import Subscription


def find(session: Session, channel: ChannelKind, address: str) -> Subscription | None:
    rows = select(Subscription).where(Subscription.channel == channel, Subscription.address == address)
    return session.scalars(rows).first()


def find_mailbox(session: Session, address: str) -> Subscription | None:
    """The email subscription of an address however its capitals are typed: mailboxes that tell them apart are not met,
    and one reader with two subscriptions is told everything twice. Who is told already comes first."""
    rows = select(Subscription).where(
        Subscription.channel == ChannelKind.EMAIL, func.lower(Subscription.address) == func.lower(address)
    )
    found = session.scalars(rows.order_by(Subscription.id)).all()
    return min(found, key=lambda row: (not row.live, row.address != address), default=None)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one address is to be told. ``sealed`` is a secret address, of which ``address`` is what may be shown;
    ``consent`` says how we came to write to it, and ``consented_on`` since when."""

    channel: ChannelKind
    address: str
    choice: Choice
    sealed: bytes | None = field(default=None, repr=False)
    consent: str = ""
    consented_on: date | None = None


def choice_of(row: Subscription) -> Choice:
    """What the subscription asks for."""
    return Choice(
        tuple(row.topics),
        tuple(row.issues),
        tuple(Interest(one) for one in row.interests),
        Cadence(row.cadence),
        row.hour,
        row.weekday,
        row.zone,
    )


def choose(row: Subscription, choice: Choice) -> None:
    """Let the subscription ask for this from now on."""
    for name, value in _columns(choice).items():
        setattr(row, name, value)


def _columns(choice: Choice) -> dict[str, object]:
    lists = {"topics": list(choice.topics), "issues": list(choice.issues), "interests": list(choice.interests)}
    names = ("cadence", "hour", "weekday", "zone")
    return lists | {name: getattr(choice, name) for name in names}


@dataclass(frozen=True, slots=True)
class Put:
    """How many subscriptions are new, how many changed, those of them that want to be told at another time, and the
    entries left out because their addresses have left."""

    new: int
    changed: int
    retimed: tuple[Subscription, ...] = ()
    left: tuple[Entry, ...] = ()


def put(session: Session, entries: Sequence[Entry], now: datetime, *, back: bool = True) -> Put:
    """Add subscriptions, or change those the addresses have.

    ``back`` brings back addresses that have left, as somebody asked for by name; without it they are left out.
    """
    there = known(session, [entry.address for entry in entries])
    fresh: dict[tuple[str, str], Entry] = {}
    left: dict[tuple[str, str], Entry] = {}
    retimed: dict[int, Subscription] = {}
    changed = 0
    for entry in entries:
        key = entry.channel, entry.address
        row = there.get(key)
        if row is not None and row.left_at is not None and not back:
            left[key] = entry
            continue
        changed += row is not None or key in fresh
        if row is None:
            fresh[key] = entry
        elif _change(row, entry):
            retimed[row.id] = row
    session.flush()
    if fresh:
        session.execute(insert(Subscription), [_row(entry, now) for entry in fresh.values()])
    return Put(len(fresh), changed, tuple(retimed.values()), tuple(left.values()))


def _row(entry: Entry, now: datetime) -> dict[str, object]:
    return _columns(entry.choice) | {
        "channel": entry.channel,
        "address": entry.address,
        "sealed": entry.sealed,
        "consent": entry.consent,
        "consented_on": entry.consented_on,
        "created_at": now,
    }


def _change(row: Subscription, entry: Entry) -> bool:
    """Whether it wants to be told at another time than before."""
    before = _times(row)
    choose(row, entry.choice)
    row.sealed = entry.sealed or row.sealed
    row.consent, row.consented_on = entry.consent or row.consent, entry.consented_on or row.consented_on
    row.left_at, row.broken_at, row.broken_reason = None, None, ""
    return _times(row) != before


def _times(row: Subscription) -> tuple[object, ...]:
    return row.cadence, row.hour, row.weekday, row.zone


def known(session: Session, addresses: Sequence[str]) -> dict[tuple[str, str], Subscription]:
    """The subscriptions of these addresses, by channel and address."""
    found: dict[tuple[str, str], Subscription] = {}
    for some in chunks(addresses):
        rows = session.scalars(select(Subscription).where(Subscription.address.in_(some)))
        found |= {(row.channel, row.address): row for row in rows}
    return found


def with_capitals(session: Session) -> dict[str, str]:
    """Email addresses that are stored with capitals, by how they are without."""
    small = func.lower(Subscription.address)
    rows = select(small, Subscription.address).where(
        Subscription.channel == ChannelKind.EMAIL, Subscription.address != small
    )
    return dict(session.execute(rows).all())


def leave(session: Session, row: Subscription, now: datetime) -> None:
    """Nothing more is told to this address; what still waited for it is cancelled."""
    row.left_at = row.left_at or now
    outbox.cancel_waiting(session, row.id, "the subscriber has left")


#: How a subscription stands, and what says so. Each is in one of these states.
STATES = ("live", "paused", "unreachable", "left")


def state_of(row: Subscription, today: date) -> str:
    """How the subscription stands on this day; ``today`` is the board's, a day more or less is the subscriber's."""
    if row.left_at is not None:
        return "left"
    if row.broken_at is not None:
        return "unreachable"
    return "paused" if row.paused_until is not None and row.paused_until > today else "live"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which subscriptions a listing shows. ``address`` is exact, as it is stored; empty means any."""

    states: tuple[str, ...] = ("live", "paused")
    channel: str = ""
    address: str = ""


def page(session: Session, wanted: Wanted, today: date, *, limit: int, after: int = 0) -> list[Subscription]:
    """The next subscriptions by number, after the row ``after``: a page costs the same wherever it stands."""
    rows = select(Subscription).where(Subscription.id > after, or_(*(_is(state, today) for state in wanted.states)))
    if wanted.channel:
        rows = rows.where(Subscription.channel == wanted.channel)
    if wanted.address:
        rows = rows.where(Subscription.address == wanted.address)
    return list(session.scalars(rows.order_by(Subscription.id).limit(limit)))


def tally(session: Session, today: date) -> dict[str, int]:
    """How many subscriptions stand how."""
    counts = {state: select(func.count()).select_from(Subscription).where(_is(state, today)) for state in STATES}
    return {state: session.scalar(count) or 0 for state, count in counts.items()}


def _is(state: str, today: date) -> ColumnElement[bool]:
    here, reached = Subscription.left_at.is_(None), Subscription.broken_at.is_(None)
    paused = func.coalesce(Subscription.paused_until > today, False)
    return {
        "left": ~here,
        "unreachable": and_(here, ~reached),
        "paused": and_(here, reached, paused),
        "live": and_(here, reached, ~paused),
    }[state]
