"""The session calendar: when the legislature sits and which session a bill belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from monitor.model.legislature import BillKey

_MONDAY = 0


@dataclass(frozen=True, slots=True)
class LegislativeSession:
    """One session. ``identifier`` is the year: special sessions share it with the regular one.

    Both days are days of session; bills die with the end of the second.
    """

    identifier: str
    name: str
    begins: date
    adjourns: date
    classification: str  # Open Civic Data: "primary" or "special"


#: First and last day of the regular sessions that were checked against the record.
REGULAR: Mapping[int, tuple[date, date]] = {
    2015: (date(2015, 1, 7), date(2015, 6, 3)),
    2016: (date(2016, 2, 3), date(2016, 5, 4)),
    2017: (date(2017, 1, 4), date(2017, 6, 7)),
    2018: (date(2018, 2, 7), date(2018, 5, 9)),
    2019: (date(2019, 1, 9), date(2019, 6, 5)),
    2020: (date(2020, 2, 5), date(2020, 5, 6)),  # suspended in March
    2021: (date(2021, 1, 6), date(2021, 6, 9)),
    2022: (date(2022, 2, 9), date(2022, 5, 4)),
    2023: (date(2023, 1, 4), date(2023, 6, 7)),
    2024: (date(2024, 2, 7), date(2024, 5, 8)),
    2025: (date(2025, 1, 8), date(2025, 6, 4)),
    2026: (date(2026, 2, 4), date(2026, 5, 6)),
}


@dataclass(frozen=True, slots=True)
class _Special:
    """A special session and the numbers its bills took (first and last, by letters)."""

    session: LegislativeSession
    numbers: Mapping[str, tuple[int, int]]


#: Only special sessions whose days are known. The June 2021 one is not here: its end is unknown,
#: so nothing of it is ever said to have died.
SPECIALS: tuple[_Special, ...] = (
    _Special(
        LegislativeSession("2020", "July 2020 Special Session", date(2020, 7, 23), date(2020, 7, 29), "special"),
        {"HB": (6001, 6999)},
    ),
    _Special(
        LegislativeSession("2025", "November 2025 Special Session", date(2025, 11, 12), date(2025, 11, 13), "special"),
        # Bills from 8001; its resolutions start again at 101, and 51 in the Senate.
        {"HB": (8001, 8999), "SB": (8001, 8999), "HJ": (101, 999), "SJ": (101, 999), "HR": (101, 999), "SR": (51, 999)},
    ),
)


def _wednesday_after_first_monday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(_MONDAY - first.weekday()) % 7 + 2)


@lru_cache(maxsize=256)
def regular_session(year: int) -> LegislativeSession:
    """The regular session of a year, from the record or else by the constitution's rule.

    Odd years: the Wednesday after the first Monday of January to that of June; even years: February to May.

    >>> regular_session(2027).begins, regular_session(2027).adjourns
    (datetime.date(2027, 1, 6), datetime.date(2027, 6, 9))
    """
    if not 1 <= year <= 9998:
        raise ValueError(f"there is no session in the year {year:04d}")
    months = (1, 6) if year % 2 else (2, 5)
    begins, adjourns = REGULAR.get(year) or tuple(_wednesday_after_first_monday(year, month) for month in months)
    return LegislativeSession(f"{year:04d}", f"{year} Regular Session", begins, adjourns, "primary")


def has_special_number(key: BillKey) -> bool:
    """Whether the number alone says special session.

    Regular numbers never reach 8000; House bills of even (short) years never reach 6001.
    """
    return key.number >= 8000 or (key.letters == "HB" and key.number > 6000 and int(key.session) % 2 == 0)


def session_of(key: BillKey, first_day: date | None = None) -> LegislativeSession | None:
    """The session, regular or special, that a bill belongs to; None for a special session we have no dates of.

    ``first_day`` is the date of the bill's first row, if it has one: some special sessions go on with the
    regular numbers (June 2021), and a bill that began after adjournment is one of theirs.
    """
    specials = [special for special in SPECIALS if special.session.identifier == key.session]
    for special in specials:
        low, high = special.numbers.get(key.letters, (1, 0))
        if low <= key.number <= high:
            return special.session
    if has_special_number(key):
        return None
    regular = regular_session(int(key.session))
    if first_day is None or first_day <= regular.adjourns:
        return regular
    return next((s.session for s in specials if s.session.begins <= first_day <= s.session.adjourns), None)


def adjourned_on(key: BillKey, first_day: date | None = None) -> date | None:
    """The last day of the bill's own session, None when it is not known."""
    session = session_of(key, first_day)
    return session.adjourns if session else None


def in_session(day: date) -> bool:
    """Whether a session, regular or special, sits on that day (its first and last day included)."""
    regular = regular_session(day.year)
    return any(s.begins <= day <= s.adjourns for s in (regular, *(special.session for special in SPECIALS)))


def current(day: date) -> LegislativeSession:
    """The session whose bulk files should be current on that day: the last one that has begun."""
    specials = (special.session for special in SPECIALS)
    sessions = (regular_session(day.year - 1), regular_session(day.year), *specials)
    return max((session for session in sessions if session.begins <= day), key=lambda session: session.begins)


def unsigned_deadline(presented: date, adjourned: date | None) -> date:
    """The governor's last day for a bill presented on a day.

    Five calendar days, Sundays and legal holidays not counted; fifteen calendar days if the legislature has
    adjourned by the end of those five (or when is not known). Connecticut constitution, article fourth,
    section 15, from memory; it only ever asks a person to look.
    """
    day, left = presented, 5
    while left:
        day += timedelta(days=1)
        left -= day.weekday() != 6 and not is_holiday(day)
    return day if adjourned and day <= adjourned else presented + timedelta(days=15)


#: Legal holidays (General Statutes section 1-4, from memory): fixed days, and (month, weekday, which; -1 the last).
_FIXED_HOLIDAYS = frozenset({(1, 1), (2, 12), (6, 19), (7, 4), (11, 11), (12, 25)})
_MOVING_HOLIDAYS = ((1, 0, 3), (2, 0, 3), (5, 0, -1), (9, 0, 1), (10, 0, 2), (11, 3, 4))


def is_holiday(day: date) -> bool:
    """Whether a day is a legal holiday; one that falls on a Sunday is kept on the Monday."""
    monday_after = day - timedelta(days=1) if day.weekday() == 0 else day
    if {(day.month, day.day), (monday_after.month, monday_after.day)} & _FIXED_HOLIDAYS:
        return True
    nth, last = (day.day + 6) // 7, (day + timedelta(days=7)).month != day.month
    moving = ((day.month, day.weekday(), nth), (day.month, day.weekday(), -1 if last else nth))
    return any(rule in _MOVING_HOLIDAYS for rule in moving) or day == _good_friday(day.year)


def _good_friday(year: int) -> date:
    """Two days before Easter (Gauss's rule as Butcher gave it)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    offset = epact + weekday - 7 * ((golden + 11 * epact + 22 * weekday) // 451) + 114
    return date(year, offset // 31, offset % 31 + 1) - timedelta(days=2)
