"""Due deliveries become parcels: claimed in one transaction, a few at a time, with an address and what to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from monitor.config import Config, Contact
from monitor.model.messaging import Announcement, ChannelKind, Message
from monitor.notify.render import render
from monitor.store import outbox, places, readers, sign_ups
from monitor.store.schema import Delivery
from monitor.workflow import announce_confirm, pace
from monitor.workflow.announce import announcement_of, corrected_message, sender_of, sources_of
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.links import links
from monitor.workflow.patience import Patience
from monitor.workflow.readers import Readers
from monitor.workflow.sealing import Opened

log = structlog.get_logger()

#: Claimed at a time: few enough that a crash keeps little waiting for its lease to end.
BATCH = 100

#: So many renderings are kept at a time: digests may all be different.
_RENDERED = 64


@dataclass(frozen=True, slots=True)
class Parcel:
    """One claimed message; without an announcement what it should say could not be made out, as ``trouble`` says.

    ``answers`` is the key of the message that this one corrects; ``first_due`` when it could first have been tried.
    """

    key: str
    channel: ChannelKind
    recipient: str
    address: str = field(repr=False)
    announcement: Announcement | None
    trouble: str
    delivery_ids: tuple[str, ...]
    due_at: datetime
    first_due: datetime
    attempts: int
    answers: str = ""

    @property
    def to_subscriber(self) -> bool:
        """Or else to one of our own people."""
        return self.recipient.startswith(outbox.READER)

    @property
    def to_sign_up(self) -> bool:
        """Or to an address that somebody typed, of which we know nothing."""
        return _is_sign_up(self.recipient)


class Packer:
    """Claims for one pass. What a thousand subscribers are told alike is put together once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._people = people(context.config)
        self._addresses = {name: person.target(context.environ) for name, person in self._people.items()}
        with context.database.reading() as session:
            self._sealed = Opened(context, session)
        self._told: dict[tuple[object, ...], Announcement | None] = {}
        self._rendered: dict[tuple[int, ChannelKind], Message] = {}
        self._sender = sender_of(context.config)
        self._readers: Readers | None = None
        self.cancelled = 0

    @property
    def _unreachable(self) -> list[str]:
        # The secret may only be missing here and now: a command by hand has not the service's environment.
        return [*(name for name, address in self._addresses.items() if address is None), *self._sealed.closed]

    def kept(self) -> list[str]:
        """For each of our own people whose address was not given, and for webhooks that cannot be opened: what is kept
        for them, and what to do."""
        with self._context.database.reading() as session:
            counts = outbox.waiting(session, self._unreachable, self._context.now())
        ours = [_kept(self._people[name], name, count) for name, count in counts.items() if name in self._people]
        sealed = sum(count for name, count in counts.items() if name not in self._people)
        return [*ours, *([f"webhooks: {self._sealed.why}, so {_are(sealed)} kept for them"] if sealed else [])]

    def claim(self, channel: ChannelKind) -> list[Parcel]:
        """T1: take the next messages that are due, cancelling on the way what nobody wants any more."""
        now = self._context.now()
        with self._context.database.transaction() as session:
            self._readers = self._readers or Readers(self._context.config, links(session))
            parcels: list[Parcel] = []
            before: list[Delivery] = []
            while not parcels:
                leads = outbox.due(session, channel, now, BATCH, self._unreachable)
                if leads == before:
                    break
                parcels, before = self._pack(session, leads, now), leads
            taken = outbox.claim(session, {one.key: one.delivery_ids for one in parcels}, self._context.owner, now)
            count = places.claimed(session) if taken else None
            killpoint("before_claim_delivery_commit")
        if count is not None:
            places.remember(self._context.database, count)
        killpoint("after_claim_delivery_commit")
        return [parcel for parcel in parcels if parcel.key in taken]

    def message(self, parcel: Parcel) -> Message:
        """The parcel in its channel's words. Raises ValueError, or whatever a fault of ours raises."""
        if parcel.announcement is None:
            raise ValueError(parcel.trouble)
        message_id, reader = f"{parcel.key}@{self._domain}", None
        if self._readers is not None and parcel.to_subscriber and parcel.channel is ChannelKind.EMAIL:
            reader = self._readers.reader(int(parcel.recipient.partition(":")[2]))
        references = self._references(parcel.announcement, parcel)
        common = self._common(parcel.announcement, parcel.channel)
        return replace(common, address=parcel.address, message_id=message_id, references=references, reader=reader)

    def _references(self, announcement: Announcement, parcel: Parcel) -> tuple[str, ...]:
        thread = f"issue-{announcement.thread}" if announcement.thread else ""
        return tuple(f"{one}@{self._domain}" for one in (thread, parcel.answers) if one)

    @property
    def _domain(self) -> str:
        return self._sender.address.rpartition("@")[2] or "localhost"

    def _common(self, announcement: Announcement, channel: ChannelKind) -> Message:
        """What all have who are told this: looked up by identity, since to hash an announcement is to read it all.

        The announcements are kept as long as we are, so that no other can have the same identity. Lanes ask for it at
        the same time, and any of them may empty the store meanwhile.
        """
        key = id(announcement), channel
        common = self._rendered.get(key)
        if common is None:
            if len(self._rendered) >= _RENDERED:
                self._rendered.clear()
            zone = self._context.config.schedule.zone
            common = self._rendered[key] = render(announcement, channel=channel, sender=self._sender, zone=zone)
        return common

    def _pack(self, session: Session, leads: Sequence[Delivery], now: datetime) -> list[Parcel]:
        patience = Patience(self._context.config, session, leads, now)
        parcels = []
        for group in outbox.together(session, leads, now):
            later = patience.until(group)
            if later is not None:
                readers.postpone(session, [one.id for one in group], later)
                continue
            parcel = self._parcel(session, group, now)
            if parcel is not None:
                parcels.append(parcel)
        return parcels

    def _parcel(self, session: Session, group: Sequence[Delivery], now: datetime) -> Parcel | None:
        """None if nobody wants it any more; then it is cancelled."""
        lead = group[0]
        # A subscriber who left after this was queued wins.
        left = lead.subscription is not None and not lead.subscription.live
        address = self._address(session, lead, now)
        if address is None and lead.subscription is not None and not left:
            return None  # added since this pass began, and sealed with another key: it stays where it is
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
            due_at=lead.due_at,
            # Asked for only when it has been tried for hours, and dear to work out.
            first_due=max(self._first_due(one) for one in group) if lead.attempts else lead.due_at,
            attempts=lead.attempts + 1,
            answers=corrected_message(session, group),
        )

    def _first_due(self, one: Delivery) -> datetime:
        """A retry moves due_at, so when it first could have been tried is worked out again."""
        made = one.created_at + pace.GRACE
        return pace.due_of(self._context.config, one, one.subscription, made) if one.subscription else made

    def _cancel(self, session: Session, group: Sequence[Delivery], why: str) -> None:
        outbox.cancel(session, [one.id for one in group], why)
        self.cancelled += len(group)

    def _address(self, session: Session, delivery: Delivery, now: datetime) -> str | None:
        """Subscribers' addresses stand in the database, secret ones sealed; our own people's only in config and its
        secrets."""
        if delivery.subscription is not None:
            return self._sealed.address(delivery.subscription)
        if _is_sign_up(delivery.recipient):
            return announce_confirm.address_of(session, delivery.recipient, now)
        target = self._addresses.get(delivery.recipient)
        return target.reveal() if target is not None else None

    def _announcement(self, session: Session, group: Sequence[Delivery]) -> tuple[Announcement | None, str]:
        """What one bad row makes impossible must not keep the others waiting."""
        try:
            alike = sources_of(group)
            if alike not in self._told:
                today = self._context.today()
                self._told[alike] = announcement_of(self._context.config, session, group, today)
            return self._told[alike], ""
        except DBAPIError:
            raise
        except Exception as error:  # whatever is wrong with this one, it is its own
            log.exception("announcement_failed", delivery=group[0].id)
            return None, f"it cannot be put into words ({type(error).__name__}; the log has the details)"


def _is_sign_up(recipient: str) -> bool:
    return recipient.startswith(f"{sign_ups.RECIPIENT}:")


def _why_not(lead: Delivery, left: bool, address: str | None) -> str:
    if left:
        return "the subscriber has left"
    if _is_sign_up(lead.recipient):
        return "the link in it was used, or is too old"
    if address is None:
        return f"nobody called {lead.recipient} is in config"
    return "what it told of is settled"


def _kept(person: Contact, name: str, count: int) -> str:
    return f"{name}: MONITOR_{person.address_secret} is not set, so {_are(count)} kept for them"


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def people(config: Config) -> Mapping[str, Contact]:
    """Our own people by the name a delivery stores, so that no address of theirs stands in the database."""
    maintainers = {f"maintainer:{person.name}": person for person in config.maintainers}
    return {**maintainers, **{f"operator:{person.name}": person for person in config.operators}}
