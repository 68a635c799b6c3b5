"""Who is told: what a subscription may ask for, and adding it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from zoneinfo import available_timezones

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.config.values import nearest
from monitor.model.messaging import Cadence, ChannelKind, Choice, Interest
from monitor.notify.channels import mask_address, validate_address
from monitor.store import subscriptions
from monitor.workflow import pace, sealing
from monitor.workflow.channels import slack_allowed
from monitor.workflow.context import Context

#: Monday first, as Choice counts them.
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Unsuitable(Exception):
    """A subscription that cannot be; says why and what to write. Nothing was changed.

    ``field`` is what it is about: a field of Choice, "channel" or "address".
    """

    def __init__(self, words: str, field: str) -> None:
        super().__init__(words)
        self.field = field


class Wish(subscriptions.Entry):
    """A subscription as somebody asked for it, checked."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        """The address as it may be shown."""
        return mask_address(self.channel, self.address)


def choose(
    config: Config,
    *,
    topics: Sequence[str] = (),
    issues: Sequence[str] = (),
    interests: Sequence[str] = (),
    cadence: str = "",
    hour: int | None = None,
    weekday: str = "",
    zone: str = "",
) -> Choice:
    """Check what was asked for; what is left out is the usual. Raises Unsuitable."""
    known_topics = [topic.id for topic in config.topics]
    known_issues = [issue.id for issue in config.issues()]
    if hour is not None and not 0 <= hour <= 23:
        raise Unsuitable(f"there is no hour {hour}; it is 0 to 23", "hour")
    return Choice(
        _each_of(topics, known_topics, "topic"),
        _each_of(issues, known_issues, "issue"),
        tuple(Interest(one) for one in _each_of(interests or [Interest.STATUS], list(Interest), "interest")),
        Cadence(_one_of(cadence or Cadence.IMMEDIATE, list(Cadence), "cadence", "cadence")),
        hour,
        WEEKDAYS.index(_one_of(weekday.lower(), WEEKDAYS, "weekday", "weekday")) if weekday else None,
        _zone(zone) if zone else None,
    )


def _zone(name: str) -> str:
    return _one_of(name, _zones(), "time zone", "zone")


@cache
def _zones() -> tuple[str, ...]:
    """Reading them looks at every file of the machine's time zones."""
    return tuple(sorted(available_timezones()))


def wish(config: Config, address: str, channel: str, choice: Choice) -> Wish:
    """Check an address for what it asked for. Raises Unsuitable."""
    kind = ChannelKind(_one_of(channel or "email", list(ChannelKind), "channel", "channel"))
    try:
        good = validate_address(kind, address, slack_allowed(config))
    except ValueError as error:
        raise Unsuitable(str(error), "address") from error
    return Wish(kind, good, choice)


def _each_of(values: Sequence[str], allowed: Sequence[str], what: str) -> tuple[str, ...]:
    """Each once, in the order of ``allowed``: a choice is the same whatever order it was typed in."""
    asked = {_one_of(value, allowed, what, f"{what}s") for value in values}
    return tuple(one for one in allowed if one in asked)


def _one_of(value: str, allowed: Sequence[str], what: str, field: str) -> str:
    if value in allowed:
        return value
    few = f"it is one of {', '.join(allowed)}" if len(allowed) <= 40 else "look it up and write it exactly"
    raise Unsuitable(f"there is no {what} {value!r}; {nearest(value, allowed) or few}", field)


def subscribe(context: Context, wishes: Iterable[Wish]) -> subscriptions.Put:
    """Add or change subscriptions, all or none; who has left is brought back.

    Raises NoKey for a secret address that there is no key to keep with.
    """
    entries = sealed(context, list(wishes))
    with context.database.transaction() as session:
        renew(context, session)
        put = subscriptions.put(session, entries, context.now())
        pace.reschedule_all(session, context.config, put.retimed, context.now())
        return put


def sealed(context: Context, wishes: Sequence[Wish]) -> list[subscriptions.Entry]:
    """The wishes as they are stored: secret addresses sealed. Raises NoKey."""
    if all(one.channel is ChannelKind.EMAIL for one in wishes):
        return list(wishes)
    sealer = sealing.needed(context.environ)
    return [one if one.channel is ChannelKind.EMAIL else _sealed(sealer, one) for one in wishes]


def _sealed(sealer: sealing.Sealer, one: Wish) -> subscriptions.Entry:
    return replace(one, address=one.masked, sealed=sealer.seal(one.address))


def renew(context: Context, session: Session) -> None:
    """Whatever is written takes what stands unsealed from before along."""
    sealer = sealing.sealer(context.environ)
    if sealer is not None:
        sealing.renew(session, sealer)
