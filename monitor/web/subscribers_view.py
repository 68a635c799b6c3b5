"""A subscriber in the words of the desk's pages. A viewer sees people's addresses masked; webhooks nobody sees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from monitor.interpret.sentences import plain_day
from monitor.model.messaging import ChannelKind, DeliveryState
from monitor.notify.channels import CHANNELS
from monitor.store.schema import Delivery, Subscription
from monitor.store.schema_subscribers import Suppression
from monitor.store.subscriptions import choice_of, state_of
from monitor.web import wanted
from monitor.web.access import visitor
from monitor.web.context import monitor
from monitor.web.words import day, plain_moment
from monitor.workflow import managing, sealing

#: What was done, for the page that follows.
DONE: Mapping[str, str] = {
    "added": "The service took the test message. It is subscribed.",
    "changed": "The changes are kept; what waits follows them.",
    "paused": "Nothing is sent until then. What comes up meanwhile is sent together when the pause ends.",
    "again": "The pause is over.",
    "tested": "The service took the test message.",
    "removed": "Nothing more is sent; what waited is cancelled.",
    "deleted": "The subscriber is forgotten; a fingerprint of the address keeps imports from writing to it.",
    "suppressed": "Nobody writes to this address any more.",
    "lifted": "This address may be written to again, once somebody subscribes it.",
}
STATES: Mapping[str, str] = {"live": "", "paused": "Paused", "unreachable": "Unreachable", "left": "Left"}
WHYS = (
    ("left", "It left"),
    ("complained", "Its reader complained"),
    ("bounced", "Mail to it came back"),
    ("deleted", "Its reader wants nothing kept"),
)
_MESSAGES: Mapping[str, str] = {
    DeliveryState.PENDING: "Waits",
    DeliveryState.SENDING: "Is being sent",
    DeliveryState.SENT: "Sent",
    DeliveryState.DEAD: "Not delivered",
    DeliveryState.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One subscriber. ``about`` is empty for everything, ``why`` says why it cannot be reached."""

    id: int
    channel: str
    address: str
    about: str
    interests: str
    when: str
    state: str
    label: str
    why: str
    paused: str
    since: str
    is_secret: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One message to it."""

    at: str
    state: str
    error: str


@dataclass(frozen=True, slots=True)
class Barred:
    """An address nobody writes to."""

    shown: str
    why: str
    since: str
    detail: str


def line(row: Subscription, today: date) -> Line:
    choice = choice_of(row)
    config = monitor().config
    names = {topic.id: topic.name for topic in config.topics} | {issue.id: issue.name for issue in config.issues()}
    interests = {value.value: label for value, label, _ in wanted.INTERESTS}
    state = state_of(row, today)
    return Line(
        row.id,
        CHANNELS[ChannelKind(row.channel)].label,
        shown(row),
        ", ".join(names.get(one, one) for one in (*choice.topics, *choice.issues)),
        ", ".join(interests[one] for one in choice.interests),
        {value.value: label for value, label, _ in wanted.CADENCES}[choice.cadence],
        state,
        STATES[state],
        row.broken_reason,
        plain_day(row.paused_until) if state == "paused" and row.paused_until else "",
        plain_day(day(row.created_at)),
        row.channel != ChannelKind.EMAIL,
    )


def shown(row: Subscription) -> str:
    """The address as whoever is signed in may see it."""
    who = visitor()
    if row.channel != ChannelKind.EMAIL:
        return sealing.stored(ChannelKind(row.channel), row.address)
    return row.address if who is not None and who.decides else managing.masked(row)


def consent(row: Subscription) -> str:
    """How we came to write to it."""
    since = f" ({plain_day(row.consented_on)})" if row.consented_on else ""
    return f"{row.consent or 'not noted'}{since}"


def told(delivery: Delivery) -> Told:
    return Told(plain_moment(delivery.sent_at or delivery.created_at), _MESSAGES[delivery.state], delivery.error or "")


def barred(row: Suppression) -> Barred:
    return Barred(row.shown or "forgotten", dict(WHYS)[row.why], plain_day(day(row.at)), row.detail)


def mark(row: Suppression) -> str:
    """Where the next page of the list begins."""
    return f"{row.at.isoformat()}_{row.fingerprint}"


def mark_of(text: str) -> tuple[datetime, str] | None:
    """What ``mark`` was made of; None for anything else."""
    moment, _, fingerprint = text.partition("_")
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    good = found.tzinfo is not None and re.fullmatch("[0-9a-f]{64}", fingerprint)
    return (found, fingerprint) if good else None


def sentence(words: str) -> str:
    """The command line's words as a sentence of a page."""
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?", "!")) else ".")
