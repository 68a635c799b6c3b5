"""Times of day as cron writes them, without its surprises at the clock change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

NEW_YORK = ZoneInfo("America/New_York")

#: cron's order: 0 and 7 are Sunday. APScheduler's own numbers begin at Monday.
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_TERM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")


def cron_trigger(text: str) -> CronTrigger:
    """Five fields as cron(5) reads them, in New York's time.

    Raises ValueError with the reason: also for a fixed time between 01:00 and 03:00, which a clock change
    makes happen twice or not at all, and for a day of the month together with a weekday, which cron reads as "or".
    """
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"cron {text!r}: five fields are needed (minute hour day month weekday), e.g. '30 4 * * mon'")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(f"cron {text!r}: give a day of the month or a weekday, not both")
    try:
        trigger = CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=NEW_YORK
        )
    except ValueError as error:
        raise ValueError(f"cron {text!r}: {error}") from error
    if not hour.startswith("*") and _hours(trigger) & {1, 2}:
        raise ValueError(f"cron {text!r}: a clock change skips or repeats what is set between 01:00 and 03:00")
    return trigger


def _hours(trigger: CronTrigger) -> set[int]:
    field = next(field for field in trigger.fields if field.name == "hour")
    midnight = datetime(2025, 1, 15, tzinfo=UTC)
    return {hour for hour in range(24) if field.get_next_value(midnight.replace(hour=hour)) == hour}


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
