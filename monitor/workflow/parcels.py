"""Due deliveries become parcels: claimed in one transaction, a few at a time, with an address and what to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from monitor.config import Config, Contact
from monitor.model.messaging import Announcement, Cadence, ChannelKind, Message
from monitor.notify.render import render
from monitor.store import outbox
from monitor.store.schema import Delivery
from monitor.workflow.announce import announcement_of, sender_of, sources_of
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint

log = structlog.get_logger()

#: Claimed at a time: few enough that a crash keeps little waiting for its lease to end.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Parcel:
    """One claimed message; without an announcement what it should say could not be made out, as ``trouble`` says."""

    key: str
    channel: ChannelKind
    recipient: str
    address: str = field(repr=False)
    announcement: Announcement | None
    trouble: str
    delivery_ids: tuple[str, ...]
    cadence: Cadence
    created_at: datetime
    due_at: datetime
    attempts: int

    @property
    def to_subscriber(self) -> bool:
        """Or else to one of our own people."""
        return self.recipient.startswith("subscription:")


class Packer:
    """Claims for one pass. What a thousand subscribers are told alike is put together once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._people = people(context.config)
        self._addresses = {name: person.target(context.environ) for name, person in self._people.items()}
        self._told: dict[tuple[object, ...], Announcement | None] = {}
        self.cancelled = 0

    @property
    def _unreachable(self) -> list[str]:
        # The secret may only be missing here and now: a command by hand has not the service's environment.
        return [name for name, address in self._addresses.items() if address is None]

    def kept(self) -> list[str]:
        """For each of our own people whose address was not given: what is kept for them, and what to do."""
        with self._context.database.reading() as session:
            counts = outbox.waiting(session, self._unreachable, self._context.now())
        return [_kept(self._people[name], name, count) for name, count in counts.items()]

    def claim(self, channel: ChannelKind) -> list[Parcel]:
        """T1: take the next messages that are due, cancelling on the way what nobody wants any more."""
        now = self._context.now()
        with self._context.database.transaction() as session:
            parcels: list[Parcel] = []
            while not parcels:
                leads = outbox.due(session, channel, now, BATCH, self._unreachable)
                before = self.cancelled
                parcels = self._pack(session, leads, now)
                if self.cancelled == before:
                    break
            taken = outbox.claim(session, {one.key: one.delivery_ids for one in parcels}, self._context.owner, now)
            killpoint("before_claim_delivery_commit")
        killpoint("after_claim_delivery_commit")
        return [parcel for parcel in parcels if parcel.key in taken]

    def message(self, parcel: Parcel) -> Message:
        """The parcel in its channel's words. Raises ValueError, or whatever a fault of ours raises."""
        if parcel.announcement is None:
            raise ValueError(parcel.trouble)
        sender = sender_of(self._context.config)
        domain = sender.address.rpartition("@")[2] or "localhost"
        return render(
            parcel.announcement,
            channel=parcel.channel,
            address=parcel.address,
            message_id=f"{parcel.key}@{domain}",
            sender=sender,
            zone=self._context.config.schedule.zone,
        )

    def _pack(self, session: Session, leads: Sequence[Delivery], now: datetime) -> list[Parcel]:
        parcels, seen = [], set[str]()
        for lead in leads:
            if lead.id in seen:
                continue
            group = outbox.together(session, lead, now)
            seen.update(one.id for one in group)
            parcel = self._parcel(session, group)
            if parcel is not None:
                parcels.append(parcel)
        return parcels

    def _parcel(self, session: Session, group: Sequence[Delivery]) -> Parcel | None:
        """None if nobody wants it any more; then it is cancelled."""
        lead = group[0]
        # A subscriber who left after this was queued wins.
        left = lead.subscription is not None and not lead.subscription.live
        address = self._address(lead)
        announcement, trouble = (None, "") if left or address is None else self._announcement(session, group)
        if address is None or (announcement is None and not trouble):
            self._cancel(session, group, _why_not(lead, left, address))
            return None
        return Parcel(
            key=lead.message_key or lead.id,
            channel=ChannelKind(lead.channel),
            recipient=lead.recipient,
            address=address,
            announcement=announcement,
            trouble=trouble,
            delivery_ids=tuple(one.id for one in group),
            cadence=Cadence(lead.subscription.cadence) if lead.subscription else Cadence.IMMEDIATE,
            created_at=max(one.created_at for one in group),
            due_at=lead.due_at,
            attempts=lead.attempts + 1,
        )

    def _cancel(self, session: Session, group: Sequence[Delivery], why: str) -> None:
        outbox.cancel(session, [one.id for one in group], why)
        self.cancelled += len(group)

    def _address(self, delivery: Delivery) -> str | None:
        """Subscribers' addresses stand in the database; our own people's only in config and its secrets."""
        if delivery.subscription is not None:
            return delivery.subscription.address
        target = self._addresses.get(delivery.recipient)
        return target.reveal() if target is not None else None

    def _announcement(self, session: Session, group: Sequence[Delivery]) -> tuple[Announcement | None, str]:
        """What one bad row makes impossible must not keep the others waiting."""
        try:
            alike = sources_of(group)
            if alike not in self._told:
                self._told[alike] = announcement_of(self._context.config, session, group)
            return self._told[alike], ""
        except DBAPIError:
            raise
        except Exception as error:  # whatever is wrong with this one, it is its own
            log.exception("announcement_failed", delivery=group[0].id)
            return None, f"it cannot be put into words ({type(error).__name__}; the log has the details)"


def _why_not(lead: Delivery, left: bool, address: str | None) -> str:
    if left:
        return "the subscriber has left"
    if address is None:
        return f"nobody called {lead.recipient} is in config"
    return "what it told of is settled"


def _kept(person: Contact, name: str, count: int) -> str:
    return (
        f"{name}: MONITOR_{person.address_secret} is not set, so {count} {'is' if count == 1 else 'are'} kept for them"
    )


def people(config: Config) -> Mapping[str, Contact]:
    """Our own people by the name a delivery stores, so that no address of theirs stands in the database."""
    maintainers = {f"maintainer:{person.name}": person for person in config.maintainers}
    return {**maintainers, **{f"operator:{person.name}": person for person in config.operators}}
