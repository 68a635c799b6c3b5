"""What we tell people, and what became of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from monitor.model.tracking import Status


class ChannelKind(StrEnum):
    EMAIL = "email"
    SLACK = "slack"
    APPRISE = "apprise"


class Cadence(StrEnum):
    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class Interest(StrEnum):
    """What a subscriber wants to be told of."""

    STATUS = "status"  # what a maintainer approved
    ACTIVITY = "activity"  # each new action on the issues' bills, unreviewed
    HEARINGS = "hearings"  # public hearings on the issues' bills, when they are noticed
    HEARTBEAT = "heartbeat"  # once a week in session, that nothing changed


@dataclass(frozen=True, slots=True)
class Choice:
    """What one address asked for. ``topics`` and ``issues`` empty means everything.

    ``hour`` (0-23) and ``weekday`` (Monday is 0) say when a digest leaves, by the clock of ``zone`` (an IANA name);
    None is the board's own time.
    """

    topics: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    interests: tuple[Interest, ...] = (Interest.STATUS,)
    cadence: Cadence = Cadence.IMMEDIATE
    hour: int | None = None
    weekday: int | None = None
    zone: str | None = None


class Following(Protocol):
    """Whoever chose topics and issues."""

    @property
    def topics(self) -> Collection[str]: ...
    @property
    def issues(self) -> Collection[str]: ...


def follows(reader: Following, issue_id: str, topic_id: str) -> bool:
    """Whether they asked for the issue, its topic, or everything."""
    return not (reader.topics or reader.issues) or issue_id in reader.issues or topic_id in reader.topics


class AnnouncementKind(StrEnum):
    STATUS = "status"  # an issue's published status moved
    NARRATIVE = "narrative"  # the status stays, the board's text moved
    CORRECTION = "correction"  # something published was wrong
    ACTIVITY = "activity"  # new actions on bills, as the record has them
    HEARING = "hearing"  # a public hearing was noticed
    HEARTBEAT = "heartbeat"  # nothing changed, and everything was read
    CONFIRM = "confirm"  # to an address that was typed into the sign-up form
    PROPOSALS = "proposals"  # for maintainers: what waits for a decision
    OPERATIONS = "operations"  # for operators: an outage began or ended


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"  # refused for good, or given up after 48 hours
    CANCELLED = "cancelled"  # the subscriber left before it was sent
    HELD = "held"  # it was queued in a database that is a copy: a person says whether it is to be sent


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
    to be expected. For operations ``narrative`` says what to do. Of a correction ``said`` is the sentence
    that was published, ``sentence`` what is right; ``from_status`` and ``to_status`` are those two's.
    ``kind`` is set where it is not the announcement's own, ``because`` says why the reader is told this one,
    ``notes`` are further labelled sentences and ``links`` further labelled addresses.
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
    said: str = ""
    kind: AnnouncementKind | None = None
    because: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Announcement:
    """Everything one message says, before it is put into a channel's words. ``thread`` is the id of the issue that all
    of it is about, "" if there is more than one or none."""

    kind: AnnouncementKind
    items: tuple[Item, ...]
    created_at: datetime
    why: str
    cadence: Cadence = Cadence.IMMEDIATE
    attachments: tuple[Attachment, ...] = ()
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: from config. ``board_url`` may be empty while there is no public page.

    ``alerts_url`` is where a reader's own page is, followed by their token: empty where there are no such pages.
    """

    organization: str
    address: str
    postal_address: str
    reply_to: str = ""
    board_url: str = ""
    alerts_url: str = ""


#: Stands in a message's text wherever the reader's own token belongs, so that a thousand subscribers cost one
#: rendering. As long as a token, so that nothing has to be folded anew.
PLACE = "reader-s-own-token-reader-s-own-token--x"


@dataclass(frozen=True, slots=True)
class Reader:
    """What a message holds for its reader alone. ``token`` opens the page of their subscription: not for a log.

    ``leave_url`` is where a POST ends it, ``leave_address`` where a mail does; ``bounce_address`` is the envelope's
    sender, empty for the usual one.
    """

    token: str = field(repr=False)
    leave_url: str = field(default="", repr=False)
    leave_address: str = field(default="", repr=False)
    bounce_address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for one address, ready for its channel.

    ``message_id`` comes from the delivery's id, so that a repeat can be recognised. ``references`` are the ids of its
    issue's thread, which no message has, and of the message that it corrects; it answers the last of them.
    For Slack ``payload`` is the JSON text to post; for other channels it is empty.
    For email ``headers`` are those beside To, Subject and Message-ID, in order. The address
    may be a secret (a webhook), so it is not shown in a ``repr``. Where ``text`` and ``html`` hold PLACE the
    ``reader``'s token belongs; a message without one has no PLACE.
    """

    channel: ChannelKind
    address: str = field(repr=False)
    message_id: str
    subject: str
    text: str
    html: str = ""
    payload: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    references: tuple[str, ...] = ()
    reader: Reader | None = None
    attachments: tuple[Attachment, ...] = ()


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
