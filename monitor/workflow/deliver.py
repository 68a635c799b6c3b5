"""Send what is due. At least once: a repeat can only follow a crash between send and mark, with the same Message-ID.

T1 claims one message; it is sent with no transaction open; T2 records what became of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from monitor.config import Config, Contact
from monitor.model.messaging import ChannelKind, DeliveryState, Message, Outcome, OutcomeKind
from monitor.notify.carrier import Transport
from monitor.notify.channels import mask_address
from monitor.notify.render import render
from monitor.store import outbox
from monitor.store.schema import Delivery
from monitor.workflow.announce import announcement_of, sender_of
from monitor.workflow.channels import open_channel
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint

log = structlog.get_logger()

#: Temporary troubles are tried again for this long, then a person is told (RFC 5321 4.5.4.1 asks for 4-5 days of a
#: relay; news about a vote is stale long before).
GIVE_UP_AFTER = timedelta(hours=48)

_FIRST_PAUSE = timedelta(minutes=2)
_LAST_PAUSE = timedelta(hours=4)

#: A channel whose login or TLS fails is left alone for this long; its queue stays.
_CHANNEL_PAUSE = timedelta(minutes=15)


@dataclass(slots=True)
class DeliverReport:
    """What one pass sent. A digest counts once."""

    sent: int = 0
    retrying: int = 0
    dead: int = 0
    cancelled: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return {name: getattr(self, name) for name in DeliverReport.__slots__}


@dataclass(frozen=True, slots=True)
class Parcel:
    """One claimed message: its deliveries' ids, and the message itself."""

    key: str
    delivery_ids: tuple[str, ...]
    message: Message
    created_at: datetime
    attempts: int


def deliver(
    context: Context, *, limit: int = 100_000, progress: Callable[[int], None] = lambda done: None
) -> DeliverReport:
    """Send everything due, one message at a time. Never raises for a message that cannot be sent."""
    report = DeliverReport()
    channels = _Channels(context)
    try:
        for done in range(limit):
            if context.stopping():
                break
            parcel = _claim(context, channels.broken, report)
            if parcel is None:
                break
            killpoint("before_send")
            outcome = channels.send(parcel.message)
            killpoint("after_send_before_mark")
            _mark(context, parcel, outcome, report)
            progress(done + 1)
    finally:
        channels.close()
    return report


class _Channels:
    """Opened when first needed; a channel that turns out to be broken is used no more in this pass."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[ChannelKind, Transport] = {}
        self.broken: set[ChannelKind] = set()

    def send(self, message: Message) -> Outcome:
        try:
            if message.channel not in self._open:
                self._open[message.channel] = open_channel(self._context, message.channel)
        except ValueError as error:
            outcome = Outcome(OutcomeKind.CHANNEL, str(error))
        else:
            outcome = self._open[message.channel].send(message)
        if outcome.kind is OutcomeKind.CHANNEL:
            self.broken.add(message.channel)
        return outcome

    def close(self) -> None:
        for transport in self._open.values():
            transport.close()


def _claim(context: Context, broken: set[ChannelKind], report: DeliverReport) -> Parcel | None:
    """T1: take the next message that is due, cancelling what nobody wants any more on the way."""
    now = context.now()
    with context.database.transaction() as session:
        for lead in outbox.due(session, now, 50):
            if ChannelKind(lead.channel) in broken:
                continue
            parcel = _take(context, session, lead, now, report)
            if parcel is not None:
                killpoint("before_claim_delivery_commit")
                break
        else:
            parcel = None
    killpoint("after_claim_delivery_commit")
    return parcel


def _take(context: Context, session: Session, lead: Delivery, now: datetime, report: DeliverReport) -> Parcel | None:
    group = outbox.together(session, lead, now)
    ids = tuple(delivery.id for delivery in group)
    # A subscriber who left after this was queued wins.
    if lead.subscription is not None and not lead.subscription.live:
        outbox.cancel(session, ids, "the subscriber has left")
        report.cancelled += len(ids)
        return None
    key = lead.message_key or lead.id
    address = _address(context, lead)
    if address is None:
        outbox.cancel(session, ids, f"nobody called {lead.recipient} is in config, or their address is missing")
        report.cancelled += len(ids)
        return None
    if not outbox.claim(session, ids, key, context.owner, now):
        return None
    message = _message(context, session, group, key, address)
    return Parcel(key, ids, message, min(delivery.created_at for delivery in group), lead.attempts + 1)


def _address(context: Context, delivery: Delivery) -> str | None:
    """Subscribers' addresses stand in the database; our own people's only in config and its secrets."""
    if delivery.subscription is not None:
        return delivery.subscription.address
    contact = _people(context.config).get(delivery.recipient)
    target = contact.target(context.environ) if contact is not None else None
    return target.reveal() if target is not None else None


def _people(config: Config) -> Mapping[str, Contact]:
    maintainers = {f"maintainer:{person.name}": person for person in config.maintainers}
    return {**maintainers, **{f"operator:{person.name}": person for person in config.operators}}


def _message(context: Context, session: Session, group: list[Delivery], key: str, address: str) -> Message:
    sender = sender_of(context.config)
    domain = sender.address.rpartition("@")[2] or "localhost"
    return render(
        announcement_of(context.config, session, group),
        channel=ChannelKind(group[0].channel),
        address=address,
        message_id=f"{key}@{domain}",
        sender=sender,
        zone=context.config.schedule.zone,
    )


def _mark(context: Context, parcel: Parcel, outcome: Outcome, report: DeliverReport) -> None:
    """T2: record the outcome on every delivery of the message."""
    now = context.now()
    values = _values(parcel, outcome, now)
    with context.database.transaction() as session:
        outbox.mark(session, parcel.key, context.owner, **values)
        if outcome.kind is OutcomeKind.PERMANENT:
            outbox.break_subscription(session, parcel.delivery_ids, outcome.detail, now)
        killpoint("before_mark_commit")
    killpoint("after_mark_commit")
    _count(parcel, outcome, values["state"], report)


def _values(parcel: Parcel, outcome: Outcome, now: datetime) -> dict[str, Any]:
    common = {"code": outcome.code, "error": outcome.detail[:1000]}
    if outcome.kind is OutcomeKind.SENT:
        return {**common, "state": DeliveryState.SENT, "sent_at": now, "error": ""}
    retry = outcome.kind in (OutcomeKind.TEMPORARY, OutcomeKind.CHANNEL)
    if not retry or (outcome.kind is OutcomeKind.TEMPORARY and now - parcel.created_at > GIVE_UP_AFTER):
        return {**common, "state": DeliveryState.DEAD}
    return {**common, "state": DeliveryState.PENDING, "due_at": now + _pause(parcel, outcome)}


def _pause(parcel: Parcel, outcome: Outcome) -> timedelta:
    """As long as the provider asked for, else exponential with jitter."""
    if outcome.kind is OutcomeKind.CHANNEL:
        return _CHANNEL_PAUSE
    ceiling = min(_FIRST_PAUSE * 2 ** min(parcel.attempts - 1, 10), _LAST_PAUSE)
    drawn = ceiling * random.uniform(0.5, 1.0)
    asked = timedelta(seconds=min(outcome.retry_after or 0, GIVE_UP_AFTER.total_seconds()))
    return max(drawn, asked)


def _count(parcel: Parcel, outcome: Outcome, state: str, report: DeliverReport) -> None:
    if state == DeliveryState.SENT:
        report.sent += 1
        return
    if state == DeliveryState.DEAD:
        report.dead += 1
    else:
        report.retrying += 1
    to = mask_address(parcel.message.channel, parcel.message.address)
    report.problems.append(f"{to}: {outcome.detail}")
    log.warning("delivery_failed", delivery=parcel.key, channel=parcel.message.channel, to=to, detail=outcome.detail)
