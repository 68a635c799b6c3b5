"""One action, two wordings: the bulk files' columns and the status page's cells.

Facts are kept in the bulk wording with committees by name ("REF. TO JOINT COMM. ON Judiciary").
``split_bulk`` takes a description apart into the columns of ``bill_history.csv``; ``web_rows`` writes
a history as the status page does, with the committee's code in a column of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from monitor.model.committees import COMMITTEES

_CODES: Mapping[str, str] = {name: code for code, name in COMMITTEES.items()}

#: Rows that say which committee holds the bill from then on; the name follows.
_HOLDS = re.compile(
    r"(?:REF\. TO JOINT COMM\.|REFERRED TO COMMITTEE|REF\. BY HOUSE TO COMMITTEE|REF\. BY SEN\. TO COMM\."
    r"|HOUSE TO COMM\.|SEN\. TO COMM\.|FILE BY COMM\.|HOUSE COMM\.) ON (.+)$"
)

#: Where a description divides into ``act_desc`` and ``qual1``. The first that matches answers.
_ARGUMENT = tuple(
    re.compile(pattern)
    for pattern in (
        r"(PUBLIC HEARING) +(\d{4})",
        r"(REFERRED TO OLR, OFA) +(\d\d/\d\d/\d\d)",
        r"(FILE NO\.|(?:HOUSE|SENATE) CALENDAR NUMBER) +(\d+)",
        r"((?:PUBLIC|SPECIAL) ACT) +(\d\d-\d+)",
        r"(.*(?:SCH\.|AMENDED BY HO\.|AMENDED BY SEN\.)) +([A-Z]+(?:,[A-Z]+)*)",
        r"((?:Joint Favorable |Joint Favorable Substitute )?Change of Reference) +([A-Z]+)",
        r"(HOUSE RECOMMITTED TO) +([A-Z]+)",
        r"(FILED WITH THE OFFICE OF THE HOUSE CLERK|FILED WITH SENATE CLERKS) +(\d{4})",
        r"(INCORPORATED IN) +([HS]B\d{5})",
        r"(LINE ITEM VETOED BY THE GOVERNOR, SECTION\(S\):) +(.+)",
    )
)
_NAMED = re.compile(r"(.*COMM(?:\.|ITTEE) ON) (.+)")


def split_bulk(description: str) -> tuple[str, str, str]:
    """``act_desc``, ``qual1``, ``qual2`` as bill_history.csv has them (qual2 is empty in all of 2025)."""
    named = _NAMED.fullmatch(description)
    if named:
        return named[1], _CODES.get(named[2], named[2]), ""
    for pattern in _ARGUMENT:
        match = pattern.fullmatch(description)
        if match:
            return match[1], match[2], ""
    return description, "", ""


@dataclass(frozen=True, slots=True)
class WebRow:
    """One row of the status page's history: the committee's code ("" if the cell is empty) and the text."""

    code: str
    text: str


#: The code column: the clerks' office, the committee that holds the bill, or empty.
_LCO, _OWN, _NO = "LCO", "own", ""

#: (bulk wording, code column, web wording); {c} is a committee's name, {chamber} House or Senate. The wordings
#: are those of real status pages where one is known, and otherwise the bulk wording written out.
_RULES: tuple[tuple[str, str, str], ...] = (
    (r"REF\. TO JOINT COMM\. ON (?P<c>.+)", _NO, "Referred to Joint Committee on {c}"),
    (r"PUBLIC HEARING (?P<m>\d\d)(?P<d>\d\d)", _NO, "Public Hearing {m}/{d}"),
    (r"FILED WITH LCO", _LCO, "Filed with Legislative Commissioners' Office"),
    (r"RPTD\. OUT OF LCO", _LCO, "Reported Out of Legislative Commissioners' Office"),
    (r"FILE NO\. (?P<n>\d+)", _LCO, "File Number {n}"),
    (
        r"REFERRED TO (?:OLR, OFA|Office of Legislative Research AND Office of Fiscal Analysis) (?P<n>\d\d/\d\d/\d\d)",
        _LCO,
        "Referred to Office of Legislative Research and Office of Fiscal Analysis {n} {hour}",
    ),
    (r"FAV\. RPT\., TAB\. FOR CAL\., SEN\.", _NO, "Favorable Report, Tabled for the Calendar, Senate"),
    (r"FAV\. RPT\., TABLED FOR HOUSE CALENDAR", _NO, "Favorable Report, Tabled for the Calendar, House"),
    (r"TABLED FOR HOUSE CALENDAR", _NO, "Tabled for the Calendar, House"),
    (r"(?P<h>HOUSE|SENATE) CALENDAR NUMBER (?P<n>\d+)", _NO, "{h} Calendar Number {n}"),
    (r"(?P<n>(?:Joint|House|Senate) Favorable(?: Substitute)?)", _OWN, "{n}"),
    (r"(?P<n>(?:Joint Favorable (?:Substitute )?)?Change of Reference) (?P<code>[A-Z]+)", _OWN, "{n} {c}"),
    (r"(?P<n>Vote to Draft|Reserved for Subject Matter Public Hearing)", _OWN, "{n}"),
    (r"MOTION FAILED JF", _OWN, "Motion Failed Joint Favorable"),
    (r"DRAFTED BY COMMITTEE", _NO, "Drafted by Committee"),
    (r"(?P<x>NO )?NEW FILE BY COMM\. ON (?P<c>.+)", _NO, "{x}New File by Committee on {c}"),
    (r"REF\. BY (?P<h>HOUSE|SEN\.) TO COMM(?:ITTEE|\.) ON (?P<c>.+)", _NO, "Referred by {h} to Committee on {c}"),
    (r"CHG\. REF\., (?P<h>HOUSE|SEN\.) TO COMM\. ON (?P<c>.+)", _NO, "Change of Reference, {h} to Committee on {c}"),
    (
        r"FAV\. CHG\. OF REF\.,? (?P<h>HOUSE|SEN\.) TO COMM\. ON (?P<c>.+)",
        _NO,
        "Favorable Change of Reference, {h} to Committee on {c}",
    ),
    (r"FAV\. RPT\. HOUSE COMM\. ON (?P<c>.+)", _NO, "Favorable Report, House Committee on {c}"),
    (r"NOMINATION REFERRED TO COMMITTEE ON (?P<c>.+)", _NO, "Nomination Referred to Committee on {c}"),
    (r"HOUSE RECOMMITTED TO (?P<code>[A-Z]+)", _NO, "House Recommitted to {c}"),
    (r"INCORPORATED IN (?P<b>[HS]B)0*(?P<n>\d+)", _NO, "Incorporated in {b}-{n}"),
    (r"TRANSMITTED TO SECRETARY OF THE STATE", _NO, "Transmitted to the Secretary of State"),
    (
        r"TRANSMITTED BY SECRETARY OF THE STATE TO GOVERNOR",
        _NO,
        "Transmitted by Secretary of the State to Governor",
    ),
    (r"TRANSMITTED PURSUANT TO JOINT RULE (?P<n>\d+)", _NO, "Transmitted Pursuant To Joint Rule {n}"),
    (r"IN CONCURRENCE", _NO, "In Concurrence"),
    (r"ON CONSENT CALENDAR /IN CONCURRENCE", _NO, "On Consent Calendar / In Concurrence"),
    (r"ON CONSENT CALENDAR", _NO, "On Consent Calendar"),
    (r"SIGNED BY GOVERNOR", _NO, "Signed by the Governor"),
    (r"SIGNED BY GOVERNOR IN ORIGINAL", _NO, "Signed by Governor in Original"),
    (r"VETOED BY GOVERNOR", _NO, "Vetoed by Governor"),
    (
        r"LINE ITEM VETOED BY THE GOVERNOR, SECTION\(S\): (?P<n>.+)",
        _NO,
        "Line Item Vetoed by the Governor, Section(s): {n}",
    ),
    (r"(?P<h>PUBLIC|SPECIAL) ACT (?P<n>\d\d-\d+)", _LCO, "{h} Act {n}"),
    (r"(?P<h>HOUSE|SENATE) PASSED", _NO, "{h} Passed"),
    (
        r"(?P<h>HOUSE|SEN\.) PASSED, (?P<o>HOUSE|HO\.|SEN\.) AMEND\. SCH\. (?P<n>[A-Z,]+)",
        _NO,
        "{h} Passed as Amended by {o} Amendment Schedule {n}",
    ),
    (
        r"(?P<h>HOUSE|SEN\.) ADOPTED +(?P<o>HOUSE|HO\.|SEN\.) AMEND\. SCH\. (?P<n>[A-Z,]+)",
        _NO,
        "{h} Adopted {o} Amendment Schedule {n}{lco}",
    ),
    (
        r"(?P<h>HOUSE|SEN\.) REJ(?:ECTED|\.) (?P<o>HOUSE|HO\.|SEN\.) AMEND\. SCH\. (?P<n>[A-Z]+)",
        _NO,
        "{h} Rejected {o} Amendment Schedule {n}{lco}",
    ),
    (
        r"(?P<h>HOUSE) DESIGNATED (?P<o>HO\.) AMEND\. SCH\. (?P<n>[A-Z]+)",
        _NO,
        "{h} Designated {o} Amendment Schedule {n}{lco}",
    ),
    (
        r"AMENDMENT WITHDRAWN,? (?P<o>HOUSE|SENATE) AMEND(?:\.|MENT) SCH\. (?P<n>[A-Z]+)",
        _NO,
        "Amendment Withdrawn, {o} Amendment Schedule {n}",
    ),
    (r"ADOPTED, (?P<h>HOUSE|SENATE)", _NO, "Adopted, {h}"),
    (
        r"ADOPTED (?P<h>HOUSE|SEN\.) AS AMENDED BY (?P<o>HOUSE|HO\.|SEN\.)(?: AMEND\. SCH\.)? (?P<n>[A-Z,]+)",
        _NO,
        "Adopted {h} as Amended by {o} Amendment Schedule {n}",
    ),
    (r"HOUSE REJECTED BILL", _NO, "House Rejected Bill"),
    (r"SENATE RECONSIDERED", _NO, "Senate Reconsidered"),
    (r"BILL PASSED TEMPORARILY", _NO, "Bill Passed Temporary"),
    (r"MOVED TO FOOT OF CAL\., SENATE", _NO, "Moved to Foot of the Calendar, Senate"),
    (
        r"DISAGREEING ACTION,TABLED FOR CAL\., SEN\.",
        _NO,
        "Disagreeing Action, Tabled for the Calendar, Senate",
    ),
    (
        r"POTENTIAL DISAGREEING ACTION, TABLED CAL\. HO\.",
        _NO,
        "Potential Disagreeing Action, Tabled for the Calendar, House",
    ),
    (r"EMERGENCY CERTIFICATION", _NO, "Emergency Certification"),
    (r"RULES SUSPENDED", _NO, "Rules Suspended"),
    (r"RULES SUSPENDED,(?: TRANSMITTED |TRANS\.)TO (?P<h>HOUSE|SENATE)", _NO, "Rules Suspended, Transmitted to {h}"),
    (r"RULES SUSPENDED, TRANSMITTED TO THE GOVERNOR", _NO, "Rules Suspended, Transmitted to the Governor"),
    (r"RULES SUSPENDED/IMMEDIATE TRANSMITTAL", _NO, "Rules Suspended/Immediate Transmittal"),
    (r"IMMEDIATE TRANSMITTAL TO COMMITTEE", _NO, "Immediate Transmittal to Committee"),
    (r"IMMEDIATE TRANSMITTAL TO THE (?P<h>HOUSE|SENATE)", _NO, "Immediate Transmittal to the {h}"),
    (r"IMMEDIATE TRANSMITTAL TO THE GOV\.", _NO, "Immediate Transmittal to the Governor"),
    (r"FILED WITH SENATE CLERKS", _NO, "Filed with Senate Clerks"),
    (
        r"FILED WITH THE OFFICE OF THE HOUSE CLERK (?P<m>\d\d)(?P<d>\d\d)",
        _NO,
        "Filed with the Office of the House Clerk {m}/{d}",
    ),
)
_TABLE = tuple((re.compile(bulk), code, web) for bulk, code, web in _RULES)

_WORDS = {"HOUSE": "House", "HO.": "House", "SENATE": "Senate", "SEN.": "Senate", "PUBLIC": "Public"}
_WORDS |= {"SPECIAL": "Special", "NO ": "No "}

#: Hours seen in real rows; which row has which is ours.
_HOURS = ("5:00 PM", "12:00 PM", "10:00 AM")


def web_row(description: str, committee: str = "", lco: Mapping[str, str] | None = None) -> WebRow | None:
    """The status page's wording of one row; None for a phrase no rule knows.

    ``committee`` is the code of the committee that holds the bill. ``lco`` maps "House A" to the office's
    number of that amendment, which some rows of the page carry and the bulk files never do.
    """
    found = _rule(description)
    if found is None:
        return None
    match, column, text = found
    return WebRow(committee if column == _OWN else column, text.format(**_fill(match, lco or {})))


@lru_cache(maxsize=8192)
def _rule(description: str) -> tuple[re.Match[str], str, str] | None:
    for pattern, column, text in _TABLE:
        match = pattern.fullmatch(description)
        if match:
            return match, column, text
    return None


def _fill(match: re.Match[str], lco: Mapping[str, str]) -> dict[str, str]:
    words = {name: _WORDS.get(value or "", value or "") for name, value in match.groupdict().items()}
    if "code" in words:
        words["c"] = COMMITTEES.get(words["code"], words["code"])
    number = lco.get(f"{words.get('o')} {words.get('n')}")
    words["lco"] = f" {number}" if number else ""
    words["hour"] = _HOURS[sum(words.get("n", "").encode()) % len(_HOURS)]
    return words


def web_rows(descriptions: Sequence[str], lco: Mapping[str, str] | None = None) -> Iterator[WebRow]:
    """A history, oldest first, in web wording. An unknown phrase stays as it is."""
    for description, committee in zip(descriptions, holders(descriptions), strict=True):
        yield web_row(description, committee, lco) or WebRow("", description)


def holders(descriptions: Iterable[str]) -> Iterator[str]:
    """The code of the committee that holds the bill as each row is taken ("" before the first referral)."""
    committee = ""
    for description in descriptions:
        yield committee
        holds = _HOLDS.search(description)
        if holds:
            committee = _CODES.get(holds[1], committee)
