"""Times as cron writes them, on New York's wall clock, without its surprises at the clock change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

NEW_YORK = ZoneInfo("America/New_York")
_INSTANT = timedelta(microseconds=1)

#: cron's order: 0 and 7 are Sunday. APScheduler's own numbers begin at Monday.
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_TERM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")


class WallClockTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """Once for every match: a time that spring skips comes an hour later, one that autumn repeats comes once.

    CronTrigger itself runs a time between 01:00 and 02:00 twice in autumn, and after the spring change
    misses a weekday's first hour altogether (3.11.3: '0 0 * * mon' on March 10, 2025). So it counts here
    on a wall clock that never changes, and the result is put into New York's time.
    """

    def __init__(self, wall_clock: CronTrigger) -> None:
        self._wall_clock = wall_clock

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        start = previous_fire_time.astimezone(UTC) + _INSTANT if previous_fire_time else now.astimezone(UTC)
        wall = start.astimezone(NEW_YORK).replace(tzinfo=UTC, fold=0)
        while match := self._wall_clock.get_next_fire_time(None, wall):
            moment: datetime = match.replace(tzinfo=NEW_YORK).astimezone(UTC)
            if moment >= start:
                return moment
            wall = match + _INSTANT
        return None


def cron_trigger(text: str) -> WallClockTrigger:
    """Five fields as cron(5) reads them: minute, hour, day, month, weekday.

    Raises ValueError with the reason: also for a day of the month together with a weekday, which cron reads
    as "or" and most people as "and", and for a day that never comes.
    """
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"cron {text!r}: five fields are needed (minute hour day month weekday), e.g. '30 4 * * mon'")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(f"cron {text!r}: give a day of the month or a weekday, not both")
    try:
        trigger = CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=UTC
        )
    except ValueError as error:
        raise ValueError(f"cron {text!r}: {error}") from error
    if trigger.get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise ValueError(f"cron {text!r}: there is no such day")
    return WallClockTrigger(trigger)


def _weekdays(field: str) -> str:
    if field == "*":
        return field
    return ",".join(sorted({name for term in field.split(",") for name in _weekday_names(term)}))


def _weekday_names(term: str) -> Sequence[str]:
    match = _WEEKDAY_TERM.fullmatch(term.lower())
    if match is None:
        raise ValueError(f"{term!r} is no weekday; use 0-7 or sun-sat")
    first = _weekday_number(match["first"] or "0")
    last = _weekday_number(match["last"]) if match["last"] else first
    if match["first"] is None or (match["step"] and not match["last"]):
        last = 6
    if first > last:
        raise ValueError(f"{term!r} runs backwards; cron's week goes from sun (0) to sat (6), and 7 is sun again")
    return _WEEKDAYS[first : last + 1 : int(match["step"] or 1)]


def _weekday_number(name: str) -> int:
    if name in _WEEKDAYS:
        return _WEEKDAYS.index(name)
    if name.isdigit() and int(name) <= 7:
        return int(name)
    raise ValueError(f"{name!r} is no weekday; use 0-7 or sun-sat")
