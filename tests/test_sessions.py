"""The session calendar, and the governor's days."""

from __future__ import annotations

from datetime import date

import pytest

from monitor.interpret.sessions import (
    REGULAR,
    adjourned_on,
    current,
    in_session,
    is_holiday,
    regular_session,
    session_of,
    unsigned_deadline,
)
from monitor.model.legislature import BillKey


@pytest.mark.parametrize("year", REGULAR)
def test_the_rule_gives_the_days_that_were_checked(year: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.interpret.sessions.REGULAR", {})
    by_rule = regular_session.__wrapped__(year)
    assert (by_rule.begins, by_rule.adjourns) == REGULAR[year]


def test_a_year_to_come_follows_the_rule() -> None:
    session = regular_session(2027)
    assert (session.begins, session.adjourns) == (date(2027, 1, 6), date(2027, 6, 9))
    assert (session.identifier, session.name, session.classification) == ("2027", "2027 Regular Session", "primary")


@pytest.mark.parametrize(
    ("session", "identifier", "name"),
    [
        ("2025", "HB05001", "2025 Regular Session"),
        ("2025", "HB07288", "2025 Regular Session"),
        ("2025", "SB01567", "2025 Regular Session"),
        ("2025", "HJ00096", "2025 Regular Session"),
        ("2025", "SR00016", "2025 Regular Session"),
        ("2025", "HB08002", "November 2025 Special Session"),
        ("2025", "SJ00101", "November 2025 Special Session"),
        ("2025", "SR00051", "November 2025 Special Session"),
        ("2020", "HB06004", "July 2020 Special Session"),
        ("2020", "HB05001", "2020 Regular Session"),
        ("2017", "HB06663", "2017 Regular Session"),
        ("2019", "HJ00150", "2019 Regular Session"),
        ("2026", "HB05583", "2026 Regular Session"),
        ("2026", "HB06001", None),  # an even year's special session we have no dates of
        ("2020", "HB07001", None),
        ("2023", "HB08001", None),
    ],
)
def test_the_session_a_bill_belongs_to(session: str, identifier: str, name: str | None) -> None:
    found = session_of(BillKey(session, identifier))
    assert (found.name if found else None) == name


def test_a_bill_begun_after_adjournment_is_of_a_special_session() -> None:
    # June 2021: Senate bills went on with the regular numbers, and the session's end is unknown.
    assert session_of(BillKey("2021", "SB01202"), date(2021, 6, 15)) is None
    assert adjourned_on(BillKey("2021", "SB01202"), date(2021, 6, 15)) is None
    assert adjourned_on(BillKey("2021", "SB01093"), date(2021, 3, 4)) == date(2021, 6, 9)
    special = session_of(BillKey("2025", "SB01600"), date(2025, 11, 12))
    assert special is not None
    assert special.name == "November 2025 Special Session"


@pytest.mark.parametrize(
    ("day", "sitting"),
    [
        (date(2025, 1, 7), False),
        (date(2025, 1, 8), True),
        (date(2025, 6, 4), True),
        (date(2025, 6, 5), False),
        (date(2025, 11, 12), True),
        (date(2025, 11, 13), True),
        (date(2025, 11, 14), False),
        (date(2020, 7, 24), True),
        (date(2026, 11, 21), False),
    ],
)
def test_whether_the_legislature_sits(day: date, sitting: bool) -> None:
    assert in_session(day) is sitting


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2025, 1, 7), "2024 Regular Session"),
        (date(2025, 1, 8), "2025 Regular Session"),
        (date(2025, 11, 11), "2025 Regular Session"),
        (date(2025, 12, 1), "November 2025 Special Session"),
        (date(2026, 2, 3), "November 2025 Special Session"),
        (date(2026, 2, 4), "2026 Regular Session"),
        (date(2027, 1, 6), "2027 Regular Session"),
    ],
)
def test_the_session_whose_files_are_current(day: date, name: str) -> None:
    assert current(day).name == name
    assert current(day).identifier in name


def test_no_session_in_the_year_nought() -> None:
    with pytest.raises(ValueError, match="no session in the year 0000"):
        session_of(BillKey("0000", "HB05001"))


@pytest.mark.parametrize(
    ("presented", "adjourned", "deadline", "why"),
    [
        (
            date(2025, 2, 25),
            date(2025, 6, 4),
            date(2025, 3, 3),
            "five days, a Sunday between; HB 7066 was signed on it",
        ),
        (date(2025, 4, 14), date(2025, 6, 4), date(2025, 4, 21), "Good Friday and Easter Sunday do not count"),
        (date(2025, 6, 3), date(2025, 6, 4), date(2025, 6, 18), "adjourned before the five are over: fifteen"),
        (date(2025, 6, 9), date(2025, 6, 4), date(2025, 6, 24), "HB 5002, vetoed on the 14th day"),
        (date(2025, 11, 13), date(2025, 11, 13), date(2025, 11, 28), "special session"),
        (date(2021, 6, 17), None, date(2021, 7, 2), "adjournment unknown: the longer time"),
    ],
)
def test_the_governors_last_day(presented: date, adjourned: date | None, deadline: date, why: str) -> None:
    assert unsigned_deadline(presented, adjourned) == deadline, why


@pytest.mark.parametrize(
    ("day", "holiday"),
    [
        (date(2025, 1, 20), True),  # Martin Luther King Day
        (date(2025, 2, 12), True),  # Lincoln
        (date(2025, 2, 17), True),  # Washington
        (date(2025, 4, 18), True),  # Good Friday
        (date(2024, 3, 29), True),
        (date(2025, 5, 26), True),  # Memorial Day, the last Monday
        (date(2025, 5, 19), False),
        (date(2025, 6, 19), True),
        (date(2023, 1, 2), True),  # New Year fell on a Sunday
        (date(2025, 6, 4), False),
    ],
)
def test_legal_holidays(day: date, holiday: bool) -> None:
    assert is_holiday(day) is holiday
