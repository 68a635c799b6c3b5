"""Days and moments in words, by the legislature's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from monitor.interpret.sentences import plain_day
from monitor.workflow.context import EASTERN


@dataclass(frozen=True, slots=True)
class When:
    """A day or moment for ``<time>``: for people and, as ``iso``, for programs."""

    words: str
    iso: str


def day(moment: datetime) -> date:
    """The day in Connecticut."""
    return moment.astimezone(EASTERN).date()


def plain_time(moment: datetime) -> str:
    """ "6:10 a.m." """
    local = moment.astimezone(EASTERN)
    return f"{local:%-I:%M} {'a.m.' if local.hour < 12 else 'p.m.'}"


def plain_moment(moment: datetime) -> str:
    """ "June 10, 2025, 6:10 a.m." """
    return f"{plain_day(day(moment))}, {plain_time(moment)}"


def on(one: date) -> When:
    """A day."""
    return When(plain_day(one), one.isoformat())


def at(moment: datetime) -> When:
    """A moment."""
    return When(plain_moment(moment), moment.astimezone(EASTERN).isoformat(timespec="minutes"))


def short_day(one: date, today: date) -> str:
    """Without the year while it is this year's: "June 7"."""
    return plain_day(one).partition(",")[0] if one.year == today.year else plain_day(one)


def ago(moment: datetime, now: datetime) -> str:
    """ "today", "yesterday" or the day and how long ago: "June 7, 2025, 3 days ago"."""
    days = (day(now) - day(moment)).days
    if days <= 1:
        return "yesterday" if days == 1 else "today"
    return f"{plain_day(day(moment))}, {days} days ago"


def count(number: int, one: str, many: str = "") -> str:
    """ "1 source", "3 sources"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def in_words(number: int) -> str:
    """Below ten in words."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
