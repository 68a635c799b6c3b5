"""What we tell people, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from monitor.model.tracking import Status


class ChannelKind(StrEnum):
    EMAIL = "email"
    SLACK = "slack"
    APPRISE = "apprise"


class Cadence(StrEnum):
    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class AnnouncementKind(StrEnum):
    STATUS = "status"  # an issue's published status moved
    NARRATIVE = "narrative"  # the status stays, the board's text moved
    PROPOSALS = "proposals"  # for maintainers: what waits for a decision
    OPERATIONS = "operations"  # for operators: an outage began or ended


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"  # refused for good, or given up after 48 hours
    CANCELLED = "cancelled"  # the subscriber left before it was sent


@dataclass(frozen=True, slots=True)
class Quote:
    """Evidence as shown to a reader: the row as the source wrote it, its own date, and where it stands."""

    text: str
    on: date | None
    url: str


@dataclass(frozen=True, slots=True)
class Item:
    """One fact to tell: a published move of an issue, a waiting proposal, or an operators' notice.

    Every text is plain: escaping is the channel's business. ``issue`` is the issue's name in
    words (subjects and groups use it; empty when the heading is all there is), ``reference`` what
    a maintainer types to come back to it (a proposal's id), ``comes_next`` a sentence on what is
    to be expected. For operations ``narrative`` says what to do.
    """

    heading: str
    sentence: str
    url: str = ""
    from_status: Status | None = None
    to_status: Status | None = None
    quotes: tuple[Quote, ...] = ()
    narrative: str = ""
    action_url: str = ""
    issue: str = ""
    reference: str = ""
    comes_next: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """Everything one message says, before it is put into a channel's words."""

    kind: AnnouncementKind
    items: tuple[Item, ...]
    created_at: datetime
    why: str
    cadence: Cadence = Cadence.IMMEDIATE


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: from config. ``board_url`` may be empty while there is no public page."""

    organization: str
    address: str
    postal_address: str
    reply_to: str = ""
    board_url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one address, ready for its channel.

    ``message_id`` comes from the delivery's id, so that a repeat can be recognised.
    For Slack ``payload`` is the JSON text to post; for other channels it is empty.
    For email ``headers`` are those beside To, Subject and Message-ID, in order. The address
    may be a secret (a webhook), so it is not shown in a ``repr``.
    """

    channel: ChannelKind
    address: str = field(repr=False)
    message_id: str
    subject: str
    text: str
    html: str = ""
    payload: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class OutcomeKind(StrEnum):
    SENT = "sent"
    TEMPORARY = "temporary"  # try again
    PERMANENT = "permanent"  # this address will never take it
    REFUSED = "refused"  # this message was refused, the address is good
    CHANNEL = "channel"  # the channel itself is broken (login, TLS): keep everything queued


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider answered. ``retry_after`` in seconds, if it asked for a pause."""

    kind: OutcomeKind
    detail: str = ""
    code: int | None = None
    retry_after: float | None = None
