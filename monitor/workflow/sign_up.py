"""Signing up: an address is typed, gets one link, and is told nothing before its reader has used it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from monitor.model.messaging import AnnouncementKind, Cadence, ChannelKind, Choice, Interest
from monitor.store import outbox, sign_ups, subscriptions, suppressions
from monitor.store.schema import Subscription
from monitor.store.schema_subscribers import SignUp
from monitor.workflow.attempts import Caller, Later, Limit
from monitor.workflow.context import Context
from monitor.workflow.links import links
from monitor.workflow.pace import reschedule
from monitor.workflow.review import Refusal

#: A link is good for so long; then what was typed is forgotten.
LASTS = timedelta(days=7)

#: Mails to one address, which anybody may type. Whoever types it is told the same in any case.
BY_ADDRESS = Limit(3, timedelta(days=1))
#: From one place, where several people may sit.
BY_PLACE = Limit(20, timedelta(hours=1))

CONSENT = "signed up on the board"


class Used(Refusal):
    """The link was used before."""


class Old(Refusal):
    """The link is too old, or nothing is known of it any more."""


def sign_up(context: Context, address: str, choice: Choice, ip: str) -> None:
    """Send ``address`` a link, whether we know it or not. Raises Later for too many from one place."""
    now, place = context.now(), Caller(ip).origin
    with context.database.transaction() as session:
        wait = BY_PLACE.wait(sign_ups.of_ip(session, place, now - BY_PLACE.within), now)
        if wait is not None:
            raise Later("There were too many sign-ups from your network.", wait)
        earlier = sign_ups.of_address(session, address, now - BY_ADDRESS.within)
        row = SignUp(address=address, choice=asdict(choice), ip=place, created_at=now)
        session.add(row)
        session.flush()
        if earlier < BY_ADDRESS.most:
            to = [(f"{sign_ups.RECIPIENT}:{row.id}", ChannelKind.EMAIL.value)]
            outbox.add_notice(session, AnnouncementKind.CONFIRM, [row.id], to, now)


def waiting(session: Session, number: int, now: datetime) -> SignUp:
    """The sign-up that a link is for. Raises Used or Old."""
    row = session.get(SignUp, number)
    if row is None or row.created_at <= now - LASTS:
        raise Old("This link is too old. Ask for a new one.")
    if row.used_at is not None:
        raise Used("This link was used. Ask for a new one.")
    return row


def confirm(context: Context, number: int) -> int:
    """The address is its reader's: tell it what was asked for. Returns the subscription's number.

    Raises Used, also to whoever comes second at the same moment, or Old.
    """
    now = context.now()
    with context.database.transaction() as session:
        row = waiting(session, number, now)
        row.used_at = now  # units that write come one after another: nobody else confirms it at this moment
        known = subscription_of(session, row)
        address = known.address if known is not None else row.address
        entry = subscriptions.Entry(
            ChannelKind.EMAIL, address, choice_of(row), consent=CONSENT, consented_on=context.today()
        )
        subscriptions.put(session, [entry], now)
        suppressions.lift(session, links(session), row.address)
        found = subscription_of(session, row)
        if found is None:
            raise LookupError("a subscription that was just put is not there")
        found.paused_until = None
        reschedule(session, context.config, found, now)
        return found.id


def subscription_of(session: Session, row: SignUp) -> Subscription | None:
    """What the address has already, live or not."""
    return subscriptions.find_mailbox(session, row.address)


def choice_of(row: SignUp) -> Choice:
    """What was asked for."""
    asked: dict[str, Any] = row.choice
    lists = {name: tuple(asked[name]) for name in ("topics", "issues")}
    interests = tuple(Interest(one) for one in asked["interests"])
    return Choice(**asked | lists | {"interests": interests, "cadence": Cadence(asked["cadence"])})
