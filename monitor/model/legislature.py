"""What the legislature publishes, in Open Civic Data's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

#: The source's own spelling of a bill number: two letters and at least one digit.
_IDENTIFIER = re.compile(r"^(HB|SB|HJ|SJ|HR|SR)0*([1-9]\d{0,4})$")


#: House bills number from 5001 (special sessions from 6001 or 8001), Senate bills from 1. Resolutions
#: number from 1 in both chambers. In 2025: HB 5001–8004, SB 1–1567, HJ and SJ 1–103.
FIRST_HOUSE_BILL = 5001

#: From here special sessions number their bills; whether the Senate's too is not known, so it is allowed.
FIRST_SPECIAL_BILL = 8001


def why_impossible(letters: str, number: int) -> str | None:
    """Why no session can have a bill of this number ("SB", 7146), in words; None if one can."""
    if letters == "SB" and FIRST_HOUSE_BILL <= number < FIRST_SPECIAL_BILL:
        return f"Senate bills number below {FIRST_HOUSE_BILL}, so there is no SB {number}"
    if letters == "HB" and number < FIRST_HOUSE_BILL:
        return f"House bills number from {FIRST_HOUSE_BILL}, so there is no HB {number}"
    if letters not in ("HB", "SB") and number >= FIRST_HOUSE_BILL:
        return f"resolutions number from 1, so there is no {letters} {number}"
    return None


class Chamber(StrEnum):
    """Open Civic Data's names for the two chambers: the Senate and the House."""

    UPPER = "upper"
    LOWER = "lower"

    @property
    def label(self) -> str:
        return "Senate" if self is Chamber.UPPER else "House"

    @property
    def other(self) -> Chamber:
        return Chamber.LOWER if self is Chamber.UPPER else Chamber.UPPER


@dataclass(frozen=True, slots=True, order=True)
class BillKey:
    """One bill. Numbers restart every session, so the session is part of the key.

    ``session`` is the year ("2025"); special sessions share their year.
    ``identifier`` is padded as the bulk files write it ("HB07132").
    """

    session: str
    identifier: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{4}", self.session):
            raise ValueError(f"a session is a year of four digits, not {self.session!r}")
        match = _IDENTIFIER.match(self.identifier)
        if match is None:
            raise ValueError(f"a bill is HB, SB, HJ, SJ, HR or SR and a number, not {self.identifier!r}")
        object.__setattr__(self, "identifier", f"{match[1]}{int(match[2]):05d}")

    @property
    def letters(self) -> str:
        return self.identifier[:2]

    @property
    def number(self) -> int:
        return int(self.identifier[2:])

    @property
    def chamber(self) -> Chamber:
        """The chamber the bill began in."""
        return Chamber.UPPER if self.identifier.startswith("S") else Chamber.LOWER

    @property
    def label(self) -> str:
        """As people write it: "HB 7132"."""
        return f"{self.letters} {self.number}"

    def __str__(self) -> str:
        return f"{self.session} {self.label}"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One row of a bill's history, as a source wrote it.

    ``date`` is the row's own date, which may lie days before the row appears.
    ``description`` has its white space folded to single blanks and nothing else changed.
    """

    date: date
    description: str


@dataclass(frozen=True, slots=True)
class Document:
    """A linked document. The address is its identity: titles are typed by hand and repeat."""

    url: str
    title: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill as one source showed it. ``actions`` are oldest first, same-day rows in the order taken."""

    key: BillKey
    title: str
    actions: tuple[ActionRow, ...]
    documents: tuple[Document, ...] = ()
    purpose: str = ""
    sponsors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BillHistoryFile:
    """``bill_history.csv``: every bill's rows, oldest first. It does not say which session it is."""

    actions: Mapping[str, tuple[ActionRow, ...]]


@dataclass(frozen=True, slots=True)
class BillInfoFile:
    """``bill_info.csv``: the session and every bill's title."""

    session: str
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CommitteeFile:
    """``committee.csv``: code to name, without the trailing "Committee"."""

    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SubjectFile:
    """``subject.csv``: the subjects each bill is indexed under."""

    subjects: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the list of all acts. An act number is not law: vetoed bills have one too."""

    session_name: str
    bill: BillKey
    number: str
    title: str


@dataclass(frozen=True, slots=True)
class ActList:
    """The list of all acts; empty from the day a new session begins until its first act."""

    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class DocumentList:
    """The documents of a task force or committee page."""

    title: str
    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry of an RSS or Atom feed. ``id`` is its identity."""

    id: str
    url: str
    title: str
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """An RSS or Atom feed, newest entry first as served."""

    title: str
    entries: tuple[FeedEntry, ...]


#: Whatever an extractor can return.
Record = Bill | BillHistoryFile | BillInfoFile | CommitteeFile | SubjectFile | ActList | DocumentList | Feed


@dataclass(frozen=True, slots=True)
class CanonicalAction:
    """What a row says, whichever wording it was in.

    ``phrase`` names the row of the phrase table that answered ("unclassified" if none did),
    ``classification`` holds Open Civic Data's terms where they exist, ``arguments`` what the
    row fills in, and ``identity`` is equal for the web and the bulk wording of one action.
    """

    phrase: str
    classification: tuple[str, ...]
    arguments: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ()


class Stage(StrEnum):
    """Where a bill stands: a reading of its whole history, never of its last row alone."""

    INTRODUCED = "introduced"
    IN_COMMITTEE = "in_committee"
    HEARING = "hearing"
    REPORTED = "reported"
    ON_CALENDAR = "on_calendar"
    PASSED_ONE_CHAMBER = "passed_one_chamber"
    PASSED_BOTH = "passed_both"
    TO_GOVERNOR = "to_governor"
    SIGNED = "signed"
    LAW_WITHOUT_SIGNATURE = "law_without_signature"
    LAW_IN_PART = "law_in_part"
    VETOED = "vetoed"
    VETO_OVERRIDDEN = "veto_overridden"
    ADOPTED = "adopted"
    DISAGREEING = "disagreeing"
    RECONSIDERED = "reconsidered"
    FAILED = "failed"
    MERGED = "merged"
    DIED = "died"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ")

    @property
    def is_law(self) -> bool:
        return self in LAW


LAW = frozenset({Stage.SIGNED, Stage.LAW_WITHOUT_SIGNATURE, Stage.LAW_IN_PART, Stage.VETO_OVERRIDDEN})

#: Bills that cannot move any more once their session is over.
SETTLED = LAW | {Stage.VETOED, Stage.ADOPTED, Stage.FAILED, Stage.MERGED, Stage.DIED}


@dataclass(frozen=True, slots=True)
class StageReading:
    """A bill's stage on a day, and why.

    ``since`` is the date of the row that put it there (None before any row; for a bill that
    died, the day after adjournment). ``reason`` is one plain-English sentence.
    ``unsigned_deadline`` is the last day the governor had, once that day has passed with
    neither signature nor veto on the record: it may be law, and a person must look.
    """

    stage: Stage
    since: date | None
    reason: str
    unsigned_deadline: date | None = None

    @property
    def is_law(self) -> bool:
        return self.stage.is_law
