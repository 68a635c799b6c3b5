"""A cron line: when a fixed job of the service runs, by the wall clock of one time zone.

Read here and not by APScheduler's ``from_crontab``, which numbers weekdays from Monday = 0 (so that
"… 1" fires on Tuesdays) and wants day and weekday to hold together where cron wants either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\d{1,2}))?")
#: February 29 can be eight years away (1896 to 1904, 2096 to 2104).
_HORIZON_DAYS = 366 * 9


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if not text.isascii() or not text.isdigit() or not self.low <= int(text) <= self.high:
            raise ValueError(f"{self.name} is {self.low} to {self.high}, not {text!r}")
        return int(text)


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("weekday", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed cron line. ``weekdays`` are cron's: 0 is Sunday, 1 Monday, 6 Saturday."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def in_clock_change(self) -> bool:
        """Whether it runs between 01:00 and 03:00, an hour that comes twice or not at all when clocks change."""
        return any(hour in (1, 2) for hour in self.hours)

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first run after ``moment`` (aware), in UTC. A time the clock skips runs an hour later, once;
        a time that comes twice runs the first time."""
        return next(self._after(moment, zone))

    def next_runs(self, moment: datetime, zone: ZoneInfo, count: int = 5) -> list[datetime]:
        """The next ``count`` runs, on the zone's own clock: what to show a person who wrote the line."""
        return [run.astimezone(zone) for run in islice(self._after(moment, zone), count)]

    def _after(self, moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        last = moment.astimezone(UTC)
        # The day before: a skipped late-evening time could fall on the next day's clock.
        today = moment.astimezone(zone).date() - timedelta(days=1)
        while True:
            day = self._next_day(today)
            for run in self._times(day, zone):
                if run > last:
                    last = run
                    yield run
            today = day + timedelta(days=1)

    def _times(self, day: date, zone: ZoneInfo) -> list[datetime]:
        slots = (time(hour, minute) for hour in self.hours for minute in self.minutes)
        return sorted({datetime.combine(day, slot, zone).astimezone(UTC) for slot in slots})

    def _next_day(self, day: date) -> date:
        for _ in range(_HORIZON_DAYS):
            if day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays:
                return day
            day += timedelta(days=1)
        raise AssertionError(f"{self.text!r} never runs; parse_cron should have refused it")


def parse_cron(text: str) -> Cron:
    """Read five cron fields. Raises ValueError with a sentence for the person who wrote them."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"a cron line has five fields (minute hour day month weekday), not {len(parts)}")
    if parts[2] != "*" and parts[4] != "*":
        raise ValueError("a day of the month and a weekday together mean different things to different programs")
    minutes, hours, days, months, weekdays = (_values(part, field) for part, field in zip(parts, _FIELDS, strict=True))
    if min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        raise ValueError(f"{text!r} never runs: no such month has a day {min(days)}")
    return Cron(" ".join(parts), minutes, hours, days, months, tuple(sorted({number % 7 for number in weekdays})))


def _values(text: str, field: _Field) -> tuple[int, ...]:
    return tuple(sorted({number for part in text.split(",") for number in _range(part, field)}))


def _range(text: str, field: _Field) -> range:
    match = _PART.fullmatch(text)
    if match is None:
        raise ValueError(f"{field.name} cannot be {text!r}")
    step = int(match["step"] or 1)
    if step == 0:
        raise ValueError(f"{field.name} cannot step by 0")
    if match["first"] == "*":
        if match["last"]:
            raise ValueError(f"{field.name} cannot be {text!r}")
        return range(field.low, field.high + 1, step)
    first = field.number(match["first"])
    last = field.number(match["last"]) if match["last"] else field.high if match["step"] else first
    if last < first:
        raise ValueError(f"{field.name} {text!r} runs backwards: write two ranges with a comma")
    return range(first, last + 1, step)
