"""The form in which a reader says what they want: what was typed, what is wrong with it, and the choice it makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from zoneinfo import available_timezones

from werkzeug.datastructures import MultiDict

from monitor.config import Config
from monitor.model.messaging import Cadence, ChannelKind, Choice, Interest
from monitor.workflow.subscribe import WEEKDAYS, Unsuitable, choose, wish

#: Nothing that is chosen is longer than this, nor is any address.
_LONGEST = 300

INTERESTS = (
    (Interest.STATUS, "Status changes", "Only what a maintainer approved."),
    (Interest.ACTIVITY, "New actions on bills", "Unreviewed facts, as the record has them."),
    (Interest.HEARINGS, "Public hearings", "As soon as one is announced, with a calendar file."),
    (Interest.HEARTBEAT, "A weekly word in session", "That nothing changed and every source read well."),
)
CADENCES = (
    (Cadence.IMMEDIATE, "As things happen", ""),
    (Cadence.DAILY, "Once a day", "One message, if there is anything to tell. Hearings come at once."),
    (Cadence.WEEKLY, "Once a week", "One message, if there is anything to tell. Hearings come at once."),
)
HOURS = (
    ("", "The board's usual hour"),
    *((str(hour), f"{hour % 12 or 12} {'a.m.' if hour < 12 else 'p.m.'}") for hour in range(24)),
)
DAYS = (("", "The board's usual day"), *((name, name.capitalize()) for name in WEEKDAYS))
_NEAR_ZONES = (
    ("", "Connecticut (Eastern)"),
    ("America/Chicago", "Central"),
    ("America/Denver", "Mountain"),
    ("America/Phoenix", "Arizona"),
    ("America/Los_Angeles", "Pacific"),
    ("America/Anchorage", "Alaska"),
    ("Pacific/Honolulu", "Hawaii"),
    ("America/Puerto_Rico", "Puerto Rico"),
)


@cache
def zones() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Time zones in groups, those near to Connecticut's readers first."""
    near = {name for name, _ in _NEAR_ZONES}
    far = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return ("United States", _NEAR_ZONES), (
        "Elsewhere",
        tuple((name, _spoken(name)) for name in far if name not in near),
    )


def _spoken(zone: str) -> str:
    return zone.replace("_", " ").replace("/", ", ")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mistake, at the field it belongs to."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as somebody filled it in. ``about`` is all or some."""

    email: str = ""
    interests: tuple[str, ...] = (Interest.STATUS.value, Interest.HEARINGS.value)
    about: str = "all"
    topics: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    cadence: str = Cadence.IMMEDIATE.value
    hour: str = ""
    weekday: str = ""
    zone: str = ""


#: The names of what may be chosen more than once.
_MANY = frozenset({"interests", "topics", "issues"})


def typed(sent: MultiDict[str, str]) -> Typed:
    """What was sent, whatever it is."""
    values = {one.name: _value(sent, one.name) for one in fields(Typed)}
    return Typed(**values)  # type: ignore[arg-type]  # lists for the names of many


def _value(sent: MultiDict[str, str], name: str) -> str | tuple[str, ...]:
    if name in _MANY:
        return tuple(dict.fromkeys(text.strip()[:_LONGEST] for text in sent.getlist(name)))
    return sent.get(name, "").strip()[:_LONGEST]


def preselected(sent: MultiDict[str, str]) -> Typed:
    """The form before anybody typed: what the page that led here is about."""
    some = {name: _value(sent, name) for name in ("topics", "issues") if name in sent}
    asked = replace(Typed(), about="some", **some) if some else Typed()  # type: ignore[arg-type]
    return replace(asked, **{one.name: _value(sent, one.name) for one in fields(Typed) if one.name in sent})  # type: ignore[arg-type]


def of_choice(choice: Choice) -> Typed:
    """The form filled in with what somebody has."""
    return Typed(
        interests=tuple(choice.interests),
        about="some" if choice.topics or choice.issues else "all",
        topics=choice.topics,
        issues=choice.issues,
        cadence=choice.cadence,
        hour="" if choice.hour is None else str(choice.hour),
        weekday="" if choice.weekday is None else WEEKDAYS[choice.weekday],
        zone=choice.zone or "",
    )


def choice_of(config: Config, asked: Typed) -> tuple[Choice, list[Wrong]]:
    """The choice that was made, and what is wrong with it."""
    wrong = list(_missing(asked))
    some = asked.about == "some"
    try:
        chosen = choose(
            config,
            topics=asked.topics if some else (),
            issues=asked.issues if some else (),
            interests=asked.interests,
            cadence=asked.cadence,
            hour=int(asked.hour) if asked.hour.isascii() and asked.hour.isdigit() else None,
            weekday=asked.weekday,
            zone=asked.zone,
        )
    except Unsuitable as error:
        return Choice(), [*wrong, _said(error)]
    return chosen, wrong


def _missing(asked: Typed) -> Iterator[Wrong]:
    if not asked.interests:
        yield Wrong("interests", "Choose at least one thing to be told of.")
    if asked.about == "some" and not asked.topics and not asked.issues:
        yield Wrong("about", "Choose at least one topic or issue, or everything.")


def address_of(config: Config, asked: Typed, choice: Choice) -> tuple[str, list[Wrong]]:
    """The address to write to, and what is wrong with it."""
    if not asked.email:
        return "", [Wrong("email", "Write your email address, like name@example.org.")]
    try:
        return wish(config, asked.email, ChannelKind.EMAIL, choice).address, []
    except Unsuitable as error:
        return "", [replace(_said(error), field="email")]


def _said(error: Unsuitable) -> Wrong:
    words = str(error)
    field = "about" if error.field in ("topics", "issues") else error.field
    return Wrong(field, f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith("?") else "."))


def said_at(wrong: Iterable[Wrong]) -> dict[str, str]:
    """Each field's mistake."""
    return {one.field: one.text for one in wrong}
