"""The one sentence that says why a bill stands where it stands: actor first, past tense, no adjectives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from monitor.model.committees import committee_label
from monitor.model.legislature import BillKey, Stage

#: ``{where}`` is the committee that holds the bill, ``{actor}`` the same at the head of a sentence.
REASONS: Mapping[Stage, str] = {
    Stage.INTRODUCED: "{bill} was introduced on {day}.",
    Stage.IN_COMMITTEE: "{bill} went to {where} on {day}.",
    Stage.HEARING: "Public hearing on {bill}, {hearing}.",
    Stage.REPORTED: "{actor} approved {bill} on {day}.",
    Stage.ON_CALENDAR: "{bill} went on the {chamber} calendar on {day}.",
    Stage.PASSED_ONE_CHAMBER: "The {chamber} {passed} {bill} on {voted}.",
    Stage.PASSED_BOTH: "The House and the Senate both passed {bill}, the second on {day}.",
    Stage.TO_GOVERNOR: "{bill} went to the governor on {day}.",
    Stage.SIGNED: "The governor signed {bill} on {day}.{numbered}",
    Stage.LAW_WITHOUT_SIGNATURE: "{bill} became law without the governor's signature on {day}.{numbered}",
    Stage.LAW_IN_PART: "The governor signed {bill} on {signed}, but vetoed {part}.{numbered}",
    Stage.VETOED: "The governor vetoed {bill} on {day}; it is not law.",
    Stage.VETO_OVERRIDDEN: "The House and the Senate overrode the governor's veto of {bill} on {day}.{numbered}",
    Stage.ADOPTED: "{adopters} adopted {bill} on {day}.",
    Stage.DISAGREEING: "The House and the Senate passed {bill} in different words by {day}.",
    Stage.RECONSIDERED: "The {chamber} reconsidered its vote on {bill} on {day}.",
    Stage.FAILED: "{failure} on {day}.",
    Stage.MERGED: "The text of {bill} moved into {other} on {day}.",
}

#: Where a bill was when its session ended; elsewhere the sentence names no place.
DEATHS: Mapping[Stage, str] = {
    Stage.IN_COMMITTEE: " in {where}",
    Stage.HEARING: " in {where}",
    Stage.ON_CALENDAR: " on the {chamber} calendar",
    Stage.PASSED_ONE_CHAMBER: " in the {next}",
    Stage.DISAGREEING: " between the chambers, which had passed it in different words,",
}


def plain_day(day: date) -> str:
    """As people write it: "June 9, 2025"."""
    return f"{day:%B} {day.day}, {day.year}"


def plain_title(title: str) -> str:
    """Titles come in capitals; they read better as titles. Words that are not plain stay as they are."""
    if not title.isupper():
        return title
    small = {"a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "with"}
    parts = title.rstrip(".").lower().split(" ")
    return " ".join(part if part in small and number else _capital(part) for number, part in enumerate(parts))


def _capital(word: str) -> str:
    return "-".join(part[:1].upper() + part[1:] for part in word.split("-"))


def plain_sections(numbers: str) -> str:
    """ "9,10,11" to "sections 9, 10 and 11"; "part of it" if the row names none."""
    first, _, last = numbers.replace(",", ", ").rpartition(", ")
    if not last:
        return "part of it"
    return f"sections {first} and {last}" if first else f"section {last}"


def reason(stage: Stage, key: BillKey, committee: str, words: Mapping[str, str]) -> str:
    """Why a bill is in a stage; ``words`` are what its rows filled in."""
    return REASONS[stage].format_map(_words(key, committee, words))


def death(stage: Stage, key: BillKey, committee: str, words: Mapping[str, str], adjourned: date) -> str:
    """How a bill ended with its session, and where it was then."""
    place = DEATHS.get(stage, "").format_map(_words(key, committee, words))
    return f"{key.label} died{place} when the session ended on {plain_day(adjourned)}."


def unsigned(key: BillKey, presented: date, deadline: date) -> str:
    """For a bill whose governor's deadline has passed in silence: it may be law, nobody has said so."""
    return (
        f"{key.label} went to the governor on {plain_day(presented)}, and may have become law without a signature:"
        f" the last day to sign or veto it was {plain_day(deadline)}."
    )


def _words(key: BillKey, committee: str, words: Mapping[str, str]) -> dict[str, str]:
    where = committee_label(committee) if committee else "committee"
    actor = f"T{where[1:]}" if committee else "A committee"
    # Its number was given before the governor decided; only now is it an act.
    numbered = f" It is now {words['act']}." if "act" in words else ""
    return {"bill": key.label, "where": where, "actor": actor, "numbered": numbered, **words}
