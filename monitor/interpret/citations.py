"""Bill and act numbers as people write them: every spelling to (session, bill), and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.interpret.sessions import session_of
from monitor.model import legislature
from monitor.model.legislature import BillKey

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
_SPECIAL = rf"(?:{_MONTH},?\s+)?(?:(?:19|20)\d\d\s+)?Sp(?:ecial|\.)\s+Sess(?:ion|\.)"
_YEAR = r"(?:19|20)\d\d"


@dataclass(frozen=True, slots=True)
class BillCitation:
    """One mention of a bill. ``session`` is None if neither the text nor the caller said which.

    ``special`` is the special session as named ("SS1", "July Special Session"), "" for none.
    ``problem`` says why no such bill can exist and which one may be meant; "" if it can.
    """

    text: str
    start: int
    letters: str
    number: int
    session: str | None
    special: str = ""
    problem: str = ""

    @property
    def key(self) -> BillKey | None:
        """The bill, if the session is known and such a bill is possible."""
        return None if self.problem or self.session is None else BillKey(self.session, f"{self.letters}{self.number}")


@dataclass(frozen=True, slots=True)
class ActCitation:
    """One mention of an act. Numbers repeat inside a year: ``special`` is the month of the special session.

    ("Special" if the text names no month, "" for the regular session.)
    """

    text: str
    start: int
    year: int
    number: int
    kind: str = "public"  # or "special": a special act, whatever its session
    special: str = ""

    @property
    def listed(self) -> str:
        """As the list of all acts has it: "25-19" for a public act, "SA 25-12" for a special one, numbered apart."""
        return f"{'SA ' if self.kind == 'special' else ''}{self.year % 100:02d}-{self.number}"

    @property
    def label(self) -> str:
        """As people write it: "PA 21-2 (June Sp. Sess.)"."""
        month = self.special if len(self.special) <= 4 else f"{self.special[:3]}."
        session = f" ({month} Sp. Sess.)".replace("Spe. ", "") if self.special else ""
        return f"{'' if self.kind == 'special' else 'PA '}{self.listed}{session}"


_BILL = re.compile(
    rf"""
    (?:(?:Substitute\s+(?:for\s+)?|Proposed\s+|Raised\s+|Committee\s+|Governor's\s+)*)
    (?:(?P<docact>{_YEAR})PA-\d{{5}}-R\d\d(?=[HS])      # an act's document names its bill
      |(?P<before>(?<!\d){_YEAR})[ -]?(?=[HS])
      |(?<![A-Za-z0-9])R\d\d(?=[HS])
      |(?<![A-Za-z0-9]))
    (?:
      (?P<short>[sS]?[HhSs]\.?\s?(?:[Bb]\b|[Bb](?=[\d.\s-])|[JR](?=[\d.\s-])|J\.?R\.?(?=[\d\s-])|R(?=[\d.\s-]))\.?)
      |(?P<long>(?:House|Senate)\s+(?:Joint\s+)?(?:Bill|Resolution))
      |(?P<bare>Bill)
    )
    [\s-]*(?:(?:No\.?|Number)\s*)?
    0*(?P<number>\d{{1,5}})(?!\d|-\d)
    (?P<ss>SS\d)?
    (?:\s\((?P<after>{_YEAR})\)|,?\s+of\s+(?P<year>{_YEAR})(?!\d)|,?\s+of\s+the\s+(?P<of>{_SPECIAL}|{_YEAR}\s+Regular\s+Session))?
    (?:\s\((?:RAISED|COMMITTEE|PROPOSED)\))?
    """,
    re.VERBOSE,
)
_ACT = re.compile(
    rf"""
    (?:(?P<first>{_SPECIAL}),?\s+)?
    (?<![A-Za-z])(?P<kind>Public\s+Act|Special\s+Act|P\.?\s?A\.?|S\.?\s?A\.?)\s*(?:(?:No\.?|Number)\s*)?
    (?P<year>\d\d)-(?P<number>\d{{1,4}})(?!\d|-\d)
    (?:,?\s*\(?\s*(?:of\s+the\s+)?(?P<then>{_SPECIAL})\)?)?
    """,
    re.VERBOSE,
)
#: 2025PA-00002-R00HB-08001SS1-PA.PDF: the document's name counts special sessions, the bill tells which it is.
_ACT_DOCUMENT = re.compile(
    rf"(?P<year>{_YEAR})(?P<kind>PA|SA)-0*(?P<number>\d{{1,5}})-R\d\d(?P<letters>[HS][BJ])-(?P<bill>0*[1-9]\d*)(?!\d)"
)


def why_impossible(letters: str, number: int) -> str | None:
    """Why there can be no such bill, with the one that may be meant; None if there can."""
    if not 1 <= number <= 99999:
        return f"bills number from 1 to 99999: there can be no {letters} {number}"
    reason = legislature.why_impossible(letters, number)
    meant = "SB" if letters == "HB" else "HB"
    return f"{reason}; {meant} {number} may be meant" if reason else None


def find_bills(text: str, default_session: str | None = None) -> list[BillCitation]:
    """Every bill a text mentions, in order, impossible ones included and marked."""
    return [_bill_citation(match, default_session) for match in _BILL.finditer(text)]


def _bill_citation(match: re.Match[str], default_session: str | None) -> BillCitation:
    number = int(match["number"])
    letters = _letters(match, number)
    named = match["of"] or ""
    years = [match[where] for where in ("docact", "before", "after", "year") if match[where]]
    session = next(iter([*years, *re.findall(_YEAR, named)]), default_session)
    special = match["ss"] or (named if "Sp" in named else "")
    return BillCitation(
        match[0], match.start(), letters, number, session, special, why_impossible(letters, number) or ""
    )


def _letters(match: re.Match[str], number: int) -> str:
    if match["bare"]:
        return "SB" if number < legislature.FIRST_HOUSE_BILL else "HB"
    if match["long"]:
        words = match["long"].split()
        return words[0][0] + ("J" if "Joint" in words else words[-1][0])
    plain = re.sub(r"[.\s]", "", match["short"])
    # "sHB 7146" is the substitute for HB 7146; "SB" has no letter to spare.
    plain = plain[1:] if re.fullmatch(r"[sS][HhSs][A-Za-z]+", plain) else plain
    return plain.upper()[:2]


def find_acts(text: str) -> list[ActCitation]:
    """Every act a text mentions, in order."""
    return sorted(_acts(text), key=lambda act: act.start)


def _acts(text: str) -> Iterator[ActCitation]:
    for match in _ACT.finditer(text):
        year = int(match["year"])
        kind = "special" if match["kind"].lstrip()[0] == "S" else "public"
        special = _month(match["first"] or match["then"] or "")
        yield ActCitation(match[0], match.start(), _century(year), int(match["number"]), kind, special)
    for match in _ACT_DOCUMENT.finditer(text):
        kind = "special" if match["kind"] == "SA" else "public"
        session = session_of(BillKey(match["year"], f"{match['letters']}{match['bill']}"))
        special = _month(session.name) if session and session.classification == "special" else ""
        yield ActCitation(match[0], match.start(), int(match["year"]), int(match["number"]), kind, special)


def _century(year: int) -> int:
    """Acts have been numbered by year since 1959."""
    return 1900 + year if year >= 59 else 2000 + year


def _month(special: str) -> str:
    return next((month for month in _MONTHS if special[:3] == month[:3]), special and "Special")


def parse_bill(text: str, session: str | None = None) -> BillKey:
    """The one bill a text names, in any spelling. ValueError, in words, if it names none, or one that cannot be."""
    match = _BILL.fullmatch(" ".join(text.split()))
    if match is None:
        raise ValueError(f"{text!r} is no bill number; write it like HB 7132, SB-1171 or H.J. No. 49")
    citation = _bill_citation(match, session)
    if citation.problem:
        raise ValueError(citation.problem)
    if citation.session is None:
        raise ValueError(f"which session? {text!r} names no year, and numbers restart every session")
    if session is not None and citation.session != session:
        raise ValueError(f"{text!r} says {citation.session}, not {session}")
    return BillKey(citation.session, f"{citation.letters}{citation.number}")


def as_heading(key: BillKey) -> str:
    """As the status page heads it: "H.B. No. 7132"."""
    return f"{key.letters[0]}.{key.letters[1]}. No. {key.number}"


def as_hyphenated(key: BillKey) -> str:
    """As the site's lists write it: "HB-7132"."""
    return f"{key.letters}-{key.number}"


def as_document(key: BillKey) -> str:
    """As the names of its documents begin: "2025HB-07132"."""
    return f"{key.session}{key.letters}-{key.number:05d}"
