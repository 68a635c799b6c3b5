"""A bill's whole history to its stage: a small state machine, driven by the phrase table's effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from monitor.interpret import sentences
from monitor.interpret.actions import TABLE, PhraseTable, hearing_on
from monitor.interpret.phrases import Effect
from monitor.interpret.sentences import plain_day, plain_sections
from monitor.interpret.sessions import adjourned_on, unsigned_deadline
from monitor.model.committees import committee_label
from monitor.model.legislature import LAW, ActionRow, BillKey, Chamber, Stage, StageReading

#: How far along a stage is. Most rows only move a bill up: a calendar row of the second chamber, or a late one,
#: moves nothing back. Referrals, votes and the governor do.
_RANK: Mapping[Stage, int] = {
    Stage.INTRODUCED: 0,
    Stage.IN_COMMITTEE: 1,
    Stage.HEARING: 2,
    Stage.FAILED: 2,
    Stage.MERGED: 2,
    Stage.REPORTED: 3,
    Stage.ON_CALENDAR: 4,
    Stage.PASSED_ONE_CHAMBER: 5,
    Stage.RECONSIDERED: 5,
    Stage.DISAGREEING: 5,
    Stage.PASSED_BOTH: 6,
    Stage.ADOPTED: 6,
    Stage.TO_GOVERNOR: 7,
    Stage.VETOED: 8,
    **dict.fromkeys(LAW, 9),
}

#: What the end of the session does not end: it was decided, or no longer waits for the legislature.
_OUTLIVES_SESSION = LAW | {
    Stage.VETOED,
    Stage.ADOPTED,
    Stage.MERGED,
    Stage.FAILED,
    Stage.PASSED_BOTH,
    Stage.TO_GOVERNOR,
}


@dataclass(slots=True)
class _Bill:
    """What the rows read so far say of one bill, and the row being read."""

    key: BillKey
    stage: Stage = Stage.INTRODUCED
    since: date | None = None
    #: What the reason's sentence is filled in with.
    words: dict[str, str] = field(default_factory=dict)
    committee: str = ""
    #: The text each chamber's standing vote was on: the amendments it passed with.
    passed: dict[Chamber, frozenset[str]] = field(default_factory=dict)
    voted_on: dict[Chamber, date] = field(default_factory=dict)
    last_vote: dict[Chamber, Effect] = field(default_factory=dict)
    #: A row said "in concurrence": no order of the day's votes undoes that, only a reconsideration.
    concurred: bool = False
    presented: date | None = None
    signed: date | None = None
    line_items: str | None = None
    day: date = date.min
    phrase: str = ""
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_resolution(self) -> bool:
        return self.key.letters[1] != "B"

    @property
    def of_one_chamber(self) -> bool:
        return self.key.letters in ("HR", "SR")

    @property
    def chamber(self) -> Chamber:
        return Chamber(self.said["chamber"])

    def before(self, stage: Stage) -> bool:
        return _RANK[self.stage] < _RANK[stage]

    def move(self, stage: Stage, **words: str) -> None:
        """Into a stage; a bill that is there already keeps the date it came."""
        if stage is not self.stage or self.since is None:
            self.stage, self.since = stage, self.day
            self.words["day"] = plain_day(self.day)
        self.words |= words

    def advance(self, stage: Stage, **words: str) -> None:
        """As ``move``, unless the bill is as far or farther already."""
        if self.since is None or self.before(stage):
            self.move(stage, **words)


def _introduced(bill: _Bill) -> None:
    bill.advance(Stage.INTRODUCED)


def _referred(bill: _Bill) -> None:
    # A committee bill is referred twice to one committee: the hearing it had still counts.
    if not (bill.stage is Stage.HEARING and bill.said["committee"] == bill.committee):
        _rereferred(bill)


def _rereferred(bill: _Bill) -> None:
    if bill.before(Stage.PASSED_BOTH):
        if bill.said["committee"] != bill.committee:
            bill.since = None  # in committee anew
        bill.committee = bill.said["committee"]
        bill.move(Stage.IN_COMMITTEE)


def _committee_work(bill: _Bill) -> None:
    bill.committee = bill.committee or bill.said.get("committee", "")
    bill.advance(Stage.IN_COMMITTEE)


def _hearing(bill: _Bill) -> None:
    bill.advance(Stage.HEARING)
    day = hearing_on(bill.day, bill.said["hearing_day"])
    # Noticed again: the last notice holds.
    bill.words["hearing"] = f"{day:%A}, {plain_day(day)}" if day else "on a day that does not exist"


def _reported(bill: _Bill) -> None:
    bill.committee = bill.said.get("committee") or bill.committee
    bill.advance(Stage.REPORTED)


def _committee_failed(bill: _Bill) -> None:
    bill.committee = bill.said.get("committee") or bill.committee
    if bill.before(Stage.PASSED_BOTH):
        where = committee_label(bill.committee) if bill.committee else "committee"
        bill.move(Stage.FAILED, failure=f"A motion to report {bill.key.label} favorably failed in {where}")


def _on_calendar(bill: _Bill) -> None:
    # After a committee of the second chamber the first one's vote still stands.
    if bill.passed:
        _passed_one(bill, next(iter(bill.passed)))
    else:
        bill.advance(Stage.ON_CALENDAR, chamber=bill.chamber.label)


def _amendment_vote(bill: _Bill) -> None:
    bill.last_vote[bill.chamber] = Effect.AMENDMENT_VOTE


def _passed(bill: _Bill) -> None:
    if not bill.before(Stage.TO_GOVERNOR):
        return
    # One vote on a text with several amendments stands in several rows.
    text = bill.passed.get(bill.chamber, frozenset()) | _amendments(bill.said)
    bill.passed[bill.chamber], bill.last_vote[bill.chamber] = text, Effect.PASSED
    bill.voted_on.setdefault(bill.chamber, bill.day)
    other = bill.passed.get(bill.chamber.other)
    if bill.of_one_chamber or bill.concurred or text == other:
        _agreed(bill)
    elif other is not None:
        bill.move(Stage.DISAGREEING)
    else:
        if bill.stage is Stage.RECONSIDERED:
            bill.since = None  # the new vote it waited for
        _passed_one(bill, bill.chamber)


def _amendments(said: Mapping[str, str]) -> frozenset[str]:
    letters = said.get("amendments", "").split(",")
    return frozenset(f"{said['amendment_chamber']} {letter}" for letter in letters if letter)


def _passed_one(bill: _Bill, chamber: Chamber) -> None:
    bill.advance(
        Stage.PASSED_ONE_CHAMBER,
        chamber=chamber.label,
        next=chamber.other.label,
        passed="adopted" if bill.is_resolution else "passed",
        voted=plain_day(bill.voted_on.get(chamber, bill.day)),
    )


def _agreed(bill: _Bill) -> None:
    """Every chamber that has a vote passed one text: on the votes, or because a later row takes it for granted.

    An act's number is given once both agreed, before the governor decides; it is never law by itself.
    """
    adopters = f"The {bill.key.chamber.label}" if bill.of_one_chamber else "The House and the Senate"
    bill.advance(Stage.ADOPTED if bill.is_resolution else Stage.PASSED_BOTH, adopters=adopters)


def _numbered(bill: _Bill) -> None:
    bill.words["act"] = f"{'Special' if bill.phrase == 'special-act' else 'Public'} Act {bill.said['act']}"
    _agreed(bill)


def _concurred(bill: _Bill) -> None:
    bill.passed = dict.fromkeys(Chamber, frozenset[str]().union(*bill.passed.values()))
    bill.concurred = True
    _agreed(bill)


def _disagreed(bill: _Bill) -> None:
    # The row says outright what equal amendments only suggest, so it also undoes "both passed".
    if bill.before(Stage.TO_GOVERNOR):
        bill.concurred = False
        bill.move(Stage.DISAGREEING)


def _rejected(bill: _Bill) -> None:
    bill.last_vote[bill.chamber] = Effect.REJECTED
    if bill.before(Stage.PASSED_BOTH):
        bill.move(Stage.FAILED, failure=f"The {bill.chamber.label} rejected {bill.key.label}")


def _reconsidered(bill: _Bill) -> None:
    if bill.before(Stage.TO_GOVERNOR):
        if bill.last_vote.pop(bill.chamber, None) is not Effect.AMENDMENT_VOTE:
            bill.passed.pop(bill.chamber, None)
            bill.voted_on.pop(bill.chamber, None)
            bill.concurred = False
        bill.move(Stage.RECONSIDERED, chamber=bill.chamber.label)


def _to_governor(bill: _Bill) -> None:
    bill.presented = bill.presented or bill.day
    bill.advance(Stage.TO_GOVERNOR)


def _signed(bill: _Bill) -> None:
    bill.signed = bill.signed or bill.day
    _into_law(bill)


def _line_item_vetoed(bill: _Bill) -> None:
    bill.line_items = bill.said.get("sections", "")
    _into_law(bill)


def _into_law(bill: _Bill) -> None:
    """Only the signature makes law. A line-item veto comes with it, in either order: law in part."""
    if bill.signed is None or bill.stage is Stage.VETOED:
        return
    if bill.line_items is None:
        bill.move(Stage.SIGNED)
    else:
        bill.move(Stage.LAW_IN_PART, signed=plain_day(bill.signed), part=plain_sections(bill.line_items))


def _vetoed(bill: _Bill) -> None:
    bill.move(Stage.VETOED)


def _overridden(bill: _Bill) -> None:
    bill.move(Stage.VETO_OVERRIDDEN)


def _unsigned_law(bill: _Bill) -> None:
    if bill.stage is not Stage.VETOED:
        bill.advance(Stage.LAW_WITHOUT_SIGNATURE)


def _merged(bill: _Bill) -> None:
    if bill.before(Stage.PASSED_BOTH):
        bill.move(Stage.MERGED, other=BillKey(bill.key.session, bill.said["bill"]).label)


_EFFECTS: Mapping[Effect, Callable[[_Bill], None]] = {
    Effect.INTRODUCED: _introduced,
    Effect.REFERRED: _referred,
    Effect.REREFERRED: _rereferred,
    Effect.COMMITTEE_WORK: _committee_work,
    Effect.HEARING: _hearing,
    Effect.REPORTED: _reported,
    Effect.COMMITTEE_FAILED: _committee_failed,
    Effect.ON_CALENDAR: _on_calendar,
    Effect.AMENDMENT_VOTE: _amendment_vote,
    Effect.PASSED: _passed,
    Effect.REJECTED: _rejected,
    Effect.RECONSIDERED: _reconsidered,
    Effect.CONCURRED: _concurred,
    Effect.DISAGREED: _disagreed,
    Effect.TO_SECRETARY: _agreed,
    Effect.MERGED: _merged,
}

#: The governor has no part in a resolution: no row of his makes one a law.
_GOVERNORS_EFFECTS: Mapping[Effect, Callable[[_Bill], None]] = {
    Effect.ACT_NUMBER: _numbered,
    Effect.TO_GOVERNOR: _to_governor,
    Effect.SIGNED: _signed,
    Effect.LINE_ITEM_VETOED: _line_item_vetoed,
    Effect.VETOED: _vetoed,
    Effect.OVERRIDDEN: _overridden,
    Effect.UNSIGNED_LAW: _unsigned_law,
}


def read_stage(key: BillKey, actions: Sequence[ActionRow], as_of: date, table: PhraseTable = TABLE) -> StageReading:
    """The stage a bill had at the end of a day.

    ``actions`` are oldest first, same-day rows as the source has them; rows dated later do not count.
    """
    bill = _Bill(key)
    history = sorted(actions, key=lambda row: row.date)
    for row in history:
        if row.date <= as_of:
            _read(bill, row, table)
    adjourned = adjourned_on(key, history[0].date if history else None)
    if adjourned and as_of > adjourned and bill.stage not in _OUTLIVES_SESSION:
        sentence = sentences.death(bill.stage, key, bill.committee, bill.words, adjourned)
        return StageReading(Stage.DIED, adjourned + timedelta(days=1), sentence)
    return _in_silence(bill, adjourned, as_of) or StageReading(bill.stage, bill.since, _reason(bill))


def _read(bill: _Bill, row: ActionRow, table: PhraseTable) -> None:
    action = table.classify(row.description)
    said = table.effect(action)
    effect = _EFFECTS.get(said) or (None if bill.is_resolution else _GOVERNORS_EFFECTS.get(said))
    if effect:
        bill.day, bill.phrase, bill.said = row.date, action.phrase, action.arguments
        effect(bill)


def _reason(bill: _Bill) -> str:
    if bill.since is None:
        return f"{bill.key.label} has no action on record."
    return sentences.reason(bill.stage, bill.key, bill.committee, bill.words)


def _in_silence(bill: _Bill, adjourned: date | None, as_of: date) -> StageReading | None:
    """A bill the governor had until a day that is past: still with him as far as the record says."""
    if bill.stage is not Stage.TO_GOVERNOR or bill.presented is None:
        return None
    deadline = unsigned_deadline(bill.presented, adjourned)
    if as_of <= deadline:
        return None
    return StageReading(bill.stage, bill.since, sentences.unsigned(bill.key, bill.presented, deadline), deadline)


def reading_as_json(session: str, identifier: str, reading: StageReading) -> dict[str, Any]:
    """One line of ``monitor stage``."""
    return {
        "session": session,
        "identifier": identifier,
        "stage": reading.stage.value,
        "is_law": reading.is_law,
        "since": reading.since.isoformat() if reading.since else None,
        "reason": reading.reason,
    }
