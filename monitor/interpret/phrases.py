"""The phrase table: everything a row of a bill's history is known to say.

One row a phrase: its pattern on *normalised* text (see ``actions.normalise``), Open Civic Data's
classification (our own words only where it has none: act-number, concurrence, hearing, incorporation,
reconsideration), what it does to the bill's stage, and one example in each channel's wording. Every pattern
matches the whole text or nothing, and there is no catch-all: what no row knows reaches a person.
Vetoes overridden and laws without signature have effects but no rows, because their wording is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitor.model.committees import COMMITTEES, EARLIER_NAMES


class Effect(StrEnum):
    """What a row does to its bill's stage; ``stage.py`` has one function for each."""

    NONE = "none"
    INTRODUCED = "introduced"
    REFERRED = "referred"
    REREFERRED = "rereferred"  # to another committee, off the floor or before it: backwards
    COMMITTEE_WORK = "committee_work"
    HEARING = "hearing"
    REPORTED = "reported"
    COMMITTEE_FAILED = "committee_failed"
    ON_CALENDAR = "on_calendar"
    AMENDMENT_VOTE = "amendment_vote"
    PASSED = "passed"
    REJECTED = "rejected"
    RECONSIDERED = "reconsidered"
    CONCURRED = "concurred"
    DISAGREED = "disagreed"
    ACT_NUMBER = "act_number"
    TO_SECRETARY = "to_secretary"
    TO_GOVERNOR = "to_governor"
    SIGNED = "signed"
    LINE_ITEM_VETOED = "line_item_vetoed"
    VETOED = "vetoed"
    OVERRIDDEN = "overridden"  # no wording known
    UNSIGNED_LAW = "unsigned_law"  # no wording known
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing a row can say. ``<name>`` in ``pattern`` is a fragment of ``FRAGMENTS``."""

    id: str
    pattern: str
    classification: tuple[str, ...]
    effect: Effect
    bulk: str
    web: str


#: Words that no committee's name holds: an unknown name with one of them is an unknown phrase.
ACTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "adopted amendment calendar concurrence consent disagreed failed favorable file governor house incorporated"
        " motion notwithstanding number overridden passage passed reconsidered recommitted referred rejected report"
        " schedule senate signature signed suspended tabled to transmitted vetoed vote withdrawn without",
    )
)

_KNOWN = sorted({*COMMITTEES, *COMMITTEES.values(), *EARLIER_NAMES}, key=len, reverse=True)
_LETTER = r"[a-z]{1,2}(?: lco)?(?: \d{3,5})?"

FRAGMENTS: Mapping[str, str] = {
    "chamber": r"(?P<chamber>house|senate)",
    "their": r"(?P<amendment_chamber>house|senate)",
    "letters": rf"(?P<amendments>{_LETTER}(?: (?:and )?{_LETTER})*)",
    "committee": r"(?P<committee>[a-z][a-z' ]*)",
    # A code, or a name we know: only after "committee on" may a name be one we do not know.
    "known": "(?P<committee>[a-z]{2,3}|" + "|".join(re.sub(r"[^a-z' ]", "", name.lower()) for name in _KNOWN) + ")",
    "hearing_day": r"(?P<hearing_day>\d{4}|\d{1,2}/\d{1,2})",
    "filed_day": r"(?P<filed_day>\d{4}|\d{1,2}/\d{1,2})",
    "due": r"(?P<due>\d{1,2}/\d{1,2}/(?:\d{4}|\d{2}))",
    "time": r"(?P<time>\d{1,2}:\d{2} ?[ap] ?m)",
    "number": r"(?P<number>\d{1,5})",
    "act": r"(?P<act>\d{2}-\d{1,4})",
    "bill": r"(?P<bill>[hs] ?[bjr](?: number)? ?\d{1,5})",
}

_E = Effect

PHRASES: tuple[Phrase, ...] = (
    # Introduction and committee.
    Phrase(
        "emergency-certification",
        "emergency certification",
        ("introduction",),
        _E.INTRODUCED,
        "EMERGENCY CERTIFICATION",
        "Emergency Certification",
    ),
    Phrase(
        "filed-with-clerk",
        "filed with (?:office of )?<chamber> clerks?'?(?: <filed_day>)?",
        ("filing",),
        _E.INTRODUCED,
        "FILED WITH THE OFFICE OF THE HOUSE CLERK 0318",
        "Filed with the Office of the House Clerk 03/18",
    ),
    Phrase(
        "referred-to-joint-committee",
        "referred to joint committee on <committee>",
        ("referral-committee",),
        _E.REFERRED,
        "REF. TO JOINT COMM. ON Judiciary",
        "Referred to Joint Committee on Judiciary",
    ),
    Phrase(
        "nomination-referred",
        "nomination referred to committee on <committee>",
        ("referral",),
        _E.REFERRED,
        "NOMINATION REFERRED TO COMMITTEE ON Executive and Legislative Nominations",
        "Nomination Referred to Committee on Executive and Legislative Nominations",
    ),
    Phrase(
        "reserved-for-hearing",
        "reserved for subject matter public hearing",
        (),
        _E.COMMITTEE_WORK,
        "Reserved for Subject Matter Public Hearing",
        "(LAB) Reserved for Subject Matter Public Hearing",
    ),
    Phrase(
        "public-hearing",
        "public hearing <hearing_day>",
        ("hearing",),
        _E.HEARING,
        "PUBLIC HEARING 0221",
        "Public Hearing 02/21",
    ),
    Phrase(
        "vote-to-hold",
        "vote to hold until next meeting",
        ("deferral",),
        _E.COMMITTEE_WORK,
        "Vote to Hold Until Next Meeting",
        "(PH) Vote to Hold Until Next Meeting",
    ),
    Phrase(
        "vote-to-draft",
        "vote to draft",
        (),
        _E.COMMITTEE_WORK,
        "Vote to Draft",
        "(LAB) Vote to Draft",
    ),
    Phrase(
        "drafted-by-committee",
        "drafted by committee",
        ("substitution",),
        _E.COMMITTEE_WORK,
        "DRAFTED BY COMMITTEE",
        "Drafted by Committee",
    ),
    Phrase(
        "joint-favorable",
        "joint favorable(?: (?P<substitute>substitute))?",
        ("committee-passage-favorable",),
        _E.REPORTED,
        "Joint Favorable Substitute",
        "(LAB) Joint Favorable Substitute",
    ),
    Phrase(
        "chamber-favorable",
        "<chamber> favorable(?: (?P<substitute>substitute))?",
        ("committee-passage-favorable",),
        _E.REPORTED,
        "House Favorable",
        "(GAE) House Favorable",
    ),
    Phrase(
        "chamber-favorable-report",
        "favorable report <chamber> committee on <committee>",
        ("committee-passage-favorable",),
        _E.REPORTED,
        "FAV. RPT. HOUSE COMM. ON Executive and Legislative Nominations",
        "Favorable Report, House Committee on Executive and Legislative Nominations",
    ),
    Phrase(
        "joint-favorable-change-of-reference",
        "joint favorable (?:(?P<substitute>substitute) )?change of reference(?: to)?(?: committee on)? <known>",
        ("committee-passage-favorable",),
        _E.REREFERRED,
        "Joint Favorable Substitute Change of Reference APP",
        "(ED) Joint Favorable Substitute Change of Reference Appropriations",
    ),
    Phrase(
        "change-of-reference",
        "change of reference (?:<chamber> to committee on |to committee on |to )?<known>",
        ("referral-committee",),
        _E.REREFERRED,
        "CHG. REF., HOUSE TO COMM. ON Finance, Revenue and Bonding",
        "Change of Reference, House to Committee on Finance, Revenue and Bonding",
    ),
    Phrase(
        "favorable-change-of-reference",
        "favorable change of reference <chamber> to committee on <committee>",
        ("referral-committee",),
        _E.REREFERRED,
        "FAV. CHG. OF REF. HOUSE TO COMM. ON Appropriations",
        "Favorable Change of Reference, House to Committee on Appropriations",
    ),
    Phrase(
        "joint-favorable-failed",
        "motion failed joint favorable",
        ("committee-failure",),
        _E.COMMITTEE_FAILED,
        "MOTION FAILED JF",
        "(JUD) Motion Failed JF",
    ),
    Phrase(
        "incorporated",
        "incorporated in <bill>",
        ("incorporation",),
        _E.MERGED,
        "INCORPORATED IN SB00376",
        "Incorporated in SB-376",
    ),
    # The Legislative Commissioners' Office and the printed file.
    Phrase(
        "filed-with-lco",
        "filed with lco",
        ("filing",),
        _E.NONE,
        "FILED WITH LCO",
        "(LCO) Filed with Legislative Commissioners' Office",
    ),
    Phrase(
        "referred-for-analysis",
        "referred to olr and ofa(?: <due>(?: <time>)?)?",
        ("referral",),
        _E.NONE,
        "REFERRED TO Office of Legislative Research AND Office of Fiscal Analysis 03/27/17",
        "(LCO) Referred to Office of Legislative Research and Office of Fiscal Analysis 03/27/17 10:00 AM",
    ),
    Phrase(
        "reported-out-of-lco",
        "reported out of lco",
        (),
        _E.NONE,
        "RPTD. OUT OF LCO",
        "(LCO) Reported Out of Legislative Commissioners' Office",
    ),
    Phrase("file-number", "file number <number>", (), _E.NONE, "FILE NO. 221", "(LCO) File Number 221"),
    Phrase(
        "no-new-file",
        "no new file by committee on <committee>",
        (),
        _E.NONE,
        "NO NEW FILE BY COMM. ON Appropriations",
        "No New File by Committee on Appropriations",
    ),
    Phrase(
        "new-file",
        "new file by committee on <committee>",
        ("substitution",),
        _E.NONE,
        "NEW FILE BY COMM. ON Judiciary",
        "New File by Committee on Judiciary",
    ),
    # The calendar.
    Phrase(
        "favorable-report-tabled",
        "favorable report tabled for <chamber> calendar",
        ("reading-2",),
        _E.ON_CALENDAR,
        "FAV. RPT., TAB. FOR CAL., SEN.",
        "Favorable Report, Tabled for the Calendar, Senate",
    ),
    Phrase(
        "tabled-for-calendar",
        "tabled for <chamber> calendar",
        ("reading-2",),
        _E.ON_CALENDAR,
        "TABLED FOR HOUSE CALENDAR",
        "Tabled for the Calendar, House",
    ),
    Phrase(
        "calendar-number",
        "<chamber> calendar number <number>",
        (),
        _E.NONE,
        "HOUSE CALENDAR NUMBER 174",
        "House Calendar Number 174",
    ),
    Phrase(
        "consent-calendar",
        "on consent calendar",
        (),
        _E.NONE,
        "ON CONSENT CALENDAR",
        "On Consent Calendar",
    ),
    Phrase(
        "foot-of-calendar",
        "moved to foot of <chamber> calendar",
        ("deferral",),
        _E.NONE,
        "MOVED TO FOOT OF CAL., SENATE",
        "Moved to Foot of the Calendar, Senate",
    ),
    Phrase(
        "passed-temporarily",
        "bill passed temporar(?:ily|y)",
        ("deferral",),
        _E.NONE,
        "BILL PASSED TEMPORARILY",
        "Bill Passed Temporary",
    ),
    Phrase(
        "referred-from-floor",
        "referred by <chamber> to committee on <committee>",
        ("referral-committee",),
        _E.REREFERRED,
        "REF. BY SEN. TO COMM. ON Appropriations",
        "Referred by Senate to Committee on Appropriations",
    ),
    Phrase(
        "recommitted",
        "<chamber> recommitted to (?:committee on )?<known>",
        ("referral-committee",),
        _E.REREFERRED,
        "HOUSE RECOMMITTED TO JUD",
        "House Recommitted to Judiciary",
    ),
    Phrase(
        "immediate-transmittal-to-committee",
        "immediate transmittal to committee",
        (),
        _E.NONE,
        "IMMEDIATE TRANSMITTAL TO COMMITTEE",
        "Immediate Transmittal to Committee",
    ),
    Phrase(
        "rules-suspended-transmittal",
        "rules suspended immediate transmittal",
        (),
        _E.NONE,
        "RULES SUSPENDED/IMMEDIATE TRANSMITTAL",
        "Rules Suspended / Immediate Transmittal",
    ),
    Phrase("rules-suspended", "rules suspended", (), _E.NONE, "RULES SUSPENDED", "Rules Suspended"),
    # Amendments.
    Phrase(
        "amendment-designated",
        "<chamber> designated <their> amendment schedule <letters>",
        ("amendment-introduction",),
        _E.NONE,
        "HOUSE DESIGNATED HO. AMEND. SCH. A",
        "House Designated House Amendment Schedule A 8551",
    ),
    Phrase(
        "amendment-adopted",
        "<chamber> adopted <their> amendment schedule <letters>",
        ("amendment-passage",),
        _E.AMENDMENT_VOTE,
        "SEN. ADOPTED  SEN. AMEND. SCH. A",
        "Senate Adopted Senate Amendment Schedule A 8006",
    ),
    Phrase(
        "amendment-rejected",
        "<chamber> rejected <their> amendment schedule <letters>",
        ("amendment-failure",),
        _E.AMENDMENT_VOTE,
        "SEN. REJ. SEN. AMEND. SCH. B",
        "Senate Rejected Senate Amendment Schedule B 7061",
    ),
    Phrase(
        "amendment-withdrawn",
        "amendment withdrawn <their> amendment schedule <letters>",
        ("amendment-withdrawal",),
        _E.NONE,
        "AMENDMENT WITHDRAWN HOUSE AMEND. SCH. B",
        "Amendment Withdrawn, House Amendment Schedule B 7102",
    ),
    # Votes of a chamber.
    Phrase(
        "passed",
        "<chamber> passed(?: (?:as amended by )?<their> amendment schedule <letters>)?",
        ("passage",),
        _E.PASSED,
        "HOUSE PASSED, HOUSE AMEND. SCH. A,C",
        "House Passed as Amended by House Amendment Schedule A,C",
    ),
    Phrase("adopted", "<chamber> adopted", ("passage",), _E.PASSED, "ADOPTED, HOUSE", "Adopted, House"),
    Phrase(
        "adopted-as-amended",
        "<chamber> adopted as amended by <their>(?: amendment schedule)? <letters>",
        ("passage",),
        _E.PASSED,
        "ADOPTED SEN. AS AMENDED BY HO. A",
        "Adopted, Senate, as Amended by House Amendment Schedule A",
    ),
    Phrase(
        "bill-rejected",
        "<chamber> rejected bill",
        ("failure",),
        _E.REJECTED,
        "HOUSE REJECTED BILL",
        "House Rejected Bill",
    ),
    Phrase(
        "reconsidered",
        "<chamber> reconsidered",
        ("reconsideration",),
        _E.RECONSIDERED,
        "SENATE RECONSIDERED",
        "Senate Reconsidered",
    ),
    Phrase("in-concurrence", "in concurrence", ("concurrence",), _E.CONCURRED, "IN CONCURRENCE", "In Concurrence"),
    Phrase(
        "consent-calendar-in-concurrence",
        "on consent calendar in concurrence",
        ("concurrence",),
        _E.CONCURRED,
        "ON CONSENT CALENDAR /IN CONCURRENCE",
        "On Consent Calendar / In Concurrence",
    ),
    Phrase(
        "disagreeing-action",
        "disagreeing action tabled (?:for )?<chamber> calendar",
        ("reading-2",),
        _E.DISAGREED,
        "DISAGREEING ACTION,TABLED FOR CAL., SEN.",
        "Disagreeing Action, Tabled for the Calendar, Senate",
    ),
    Phrase(
        "potential-disagreeing-action",
        "potential disagreeing action tabled (?:for )?<chamber> calendar",
        ("reading-2",),
        _E.DISAGREED,
        "POTENTIAL DISAGREEING ACTION, TABLED CAL. HO.",
        "Potential Disagreeing Action, Tabled for the Calendar, House",
    ),
    Phrase(
        "rules-suspended-to-chamber",
        "rules suspended transmitted to <chamber>",
        (),
        _E.NONE,
        "RULES SUSPENDED,TRANS.TO HOUSE",
        "Rules Suspended, Transmitted to the House",
    ),
    Phrase(
        "immediate-transmittal-to-chamber",
        "immediate transmittal to <chamber>",
        (),
        _E.NONE,
        "IMMEDIATE TRANSMITTAL TO THE SENATE",
        "Immediate Transmittal to the Senate",
    ),
    Phrase(
        "transmitted-by-joint-rule",
        r"transmitted pursuant to joint rule (?P<rule>\d{1,2})",
        (),
        _E.NONE,
        "TRANSMITTED PURSUANT TO JOINT RULE 17",
        "Transmitted Pursuant To Joint Rule 17",
    ),
    # After passage.
    Phrase(
        "public-act",
        "public act (?:number )?<act>",
        ("act-number",),
        _E.ACT_NUMBER,
        "PUBLIC ACT 21-93",
        "(LCO) Public Act 21-93",
    ),
    Phrase(
        "special-act",
        "special act (?:number )?<act>",
        ("act-number",),
        _E.ACT_NUMBER,
        "SPECIAL ACT 21-28",
        "(LCO) Special Act 21-28",
    ),
    Phrase(
        "transmitted-to-secretary",
        "transmitted to secretary of state",
        (),
        _E.TO_SECRETARY,
        "TRANSMITTED TO SECRETARY OF THE STATE",
        "Transmitted to the Secretary of State",
    ),
    Phrase(
        "transmitted-to-governor",
        "transmitted by secretary of state to governor",
        ("executive-receipt",),
        _E.TO_GOVERNOR,
        "TRANSMITTED BY SECRETARY OF THE STATE TO GOVERNOR",
        "Transmitted by Secretary of the State to Governor",
    ),
    Phrase(
        "rules-suspended-to-governor",
        "rules suspended transmitted to governor",
        ("executive-receipt",),
        _E.TO_GOVERNOR,
        "RULES SUSPENDED, TRANSMITTED TO THE GOVERNOR",
        "Rules Suspended, Transmitted to the Governor",
    ),
    Phrase(
        "immediate-transmittal-to-governor",
        "immediate transmittal to governor",
        ("executive-receipt",),
        _E.TO_GOVERNOR,
        "IMMEDIATE TRANSMITTAL TO THE GOV.",
        "Immediate Transmittal to the Governor",
    ),
    Phrase(
        "signed",
        "signed by governor",
        ("executive-signature",),
        _E.SIGNED,
        "SIGNED BY GOVERNOR",
        "Signed by the Governor",
    ),
    Phrase(
        "signed-in-original",
        "signed by governor in original",
        ("executive-signature",),
        _E.SIGNED,
        "SIGNED BY GOVERNOR IN ORIGINAL",
        "Signed by Governor in Original",
    ),
    Phrase(
        "line-item-vetoed",
        r"line item vetoed by governor(?: sections?(?: (?P<sections>\d+(?:(?: and)? \d+)*))?)?",
        ("executive-veto-line-item",),
        _E.LINE_ITEM_VETOED,
        "LINE ITEM VETOED BY THE GOVERNOR, SECTION(S): 9, 10, 11",
        "Line Item Vetoed by the Governor, Section(s): 9, 10, 11",
    ),
    Phrase(
        "vetoed",
        "vetoed by governor",
        ("executive-veto",),
        _E.VETOED,
        "VETOED BY GOVERNOR",
        "Vetoed by the Governor",
    ),
)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A phrase we classify otherwise than Open States' scraper of the 2025 session does."""

    phrase: str
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    reason: str


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation("adopted-as-amended", ("amendment-passage",), ("passage",), "the resolution is adopted, no amendment"),
    Deviation("emergency-certification", (), ("introduction",), "how a bill without a committee begins"),
    Deviation("public-hearing", (), ("hearing",), "the notice of a hearing; no OCD term, our own word"),
    Deviation("drafted-by-committee", (), ("substitution",), "the committee's text replaces the proposed bill"),
    Deviation("new-file", (), ("substitution",), "a second committee's new text replaces the first"),
    Deviation("chamber-favorable", (), ("committee-passage-favorable",), "a one-chamber resolution's joint favorable"),
    Deviation("chamber-favorable-report", (), ("committee-passage-favorable",), "the committee's favorable report"),
    Deviation("change-of-reference", (), ("referral-committee",), "the bill moves to another committee"),
    Deviation("favorable-change-of-reference", (), ("referral-committee",), "the bill moves to another committee"),
    Deviation("referred-from-floor", (), ("referral-committee",), "taken off the floor to another committee"),
    Deviation("recommitted", (), ("referral-committee",), "sent back to a committee"),
    Deviation("joint-favorable-failed", (), ("committee-failure",), "the committee's vote was lost"),
    Deviation("incorporated", (), ("incorporation",), "the text lives on in another bill; no OCD term, our own word"),
    Deviation("foot-of-calendar", (), ("deferral",), "postponed on the floor"),
    Deviation("passed-temporarily", (), ("deferral",), "debate put off; the word passed misleads"),
    Deviation("amendment-designated", (), ("amendment-introduction",), "an amendment is called and lettered"),
    Deviation("amendment-withdrawn", (), ("amendment-withdrawal",), "OCD has the very term"),
    Deviation("bill-rejected", (), ("failure",), "defeated on the floor"),
    Deviation("reconsidered", (), ("reconsideration",), "undoes the vote before it; no OCD term, our own word"),
    Deviation("in-concurrence", (), ("concurrence",), "both chambers agreed on one text; no OCD term, our own word"),
    Deviation("consent-calendar-in-concurrence", (), ("concurrence",), "both chambers agreed on a text; our own word"),
    Deviation("potential-disagreeing-action", (), ("reading-2",), "tabled for the calendar, as the Senate's form is"),
    Deviation("public-act", (), ("act-number",), "a number, given before the governor decides; our own word"),
    Deviation("special-act", (), ("act-number",), "a number, given before the governor decides; our own word"),
    Deviation("rules-suspended-to-governor", (), ("executive-receipt",), "sent straight to the governor"),
    Deviation("immediate-transmittal-to-governor", (), ("executive-receipt",), "sent straight to the governor"),
)
