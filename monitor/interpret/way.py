"""What a bill's rows say of each step of its way: when, in which committee, by which chamber."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from monitor.interpret.actions import TABLE, PhraseTable, hearing_on
from monitor.interpret.phrases import Effect
from monitor.interpret.sentences import plain_sections
from monitor.model.legislature import ActionRow, CanonicalAction, Chamber


@dataclass(slots=True)
class Walk:
    """What the rows say of each step, and the row being read."""

    introduced: date | None = None
    committee: str = ""
    in_committee: date | None = None
    hearing: date | None = None
    reported: date | None = None
    sent_back: date | None = None
    passed: dict[Chamber, date] = field(default_factory=dict)
    last_vote: dict[Chamber, Effect] = field(default_factory=dict)
    failed_in: Chamber | None = None
    presented: date | None = None
    signed: date | None = None
    vetoed: date | None = None
    line_items: str = ""
    merged_into: str = ""
    act: str = ""
    day: date = date.min
    action: CanonicalAction | None = None

    @property
    def said(self) -> Mapping[str, str]:
        return self.action.arguments if self.action is not None else {}

    @property
    def chamber(self) -> Chamber:
        return Chamber(self.said["chamber"])


def _referred(walk: Walk) -> None:
    if walk.reported is not None or walk.passed:
        walk.sent_back = walk.day
    walk.committee, walk.in_committee, walk.reported = walk.said["committee"], walk.day, None


def _worked_on(walk: Walk) -> None:
    walk.in_committee = walk.in_committee or walk.day
    walk.committee = walk.committee or walk.said.get("committee", "")


def _heard(walk: Walk) -> None:
    _worked_on(walk)
    walk.hearing = hearing_on(walk.day, walk.said["hearing_day"])


def _reported(walk: Walk) -> None:
    walk.committee = walk.said.get("committee") or walk.committee
    walk.in_committee = walk.in_committee or walk.day
    walk.reported = walk.reported or walk.day


def _on_calendar(walk: Walk) -> None:
    walk.reported = walk.reported or walk.day


def _passed(walk: Walk) -> None:
    walk.passed.setdefault(walk.chamber, walk.day)
    walk.last_vote[walk.chamber] = Effect.PASSED


def _voted_on_amendment(walk: Walk) -> None:
    walk.last_vote[walk.chamber] = Effect.AMENDMENT_VOTE


def _reconsidered(walk: Walk) -> None:
    if walk.last_vote.pop(walk.chamber, None) is not Effect.AMENDMENT_VOTE:
        walk.passed.pop(walk.chamber, None)


def _rejected(walk: Walk) -> None:
    walk.failed_in = walk.chamber


def _committee_failed(walk: Walk) -> None:
    _worked_on(walk)
    walk.failed_in = None


def _numbered(walk: Walk) -> None:
    kind = "Special" if walk.action is not None and walk.action.phrase == "special-act" else "Public"
    walk.act = f"{kind} Act {walk.said['act']}"


def _presented(walk: Walk) -> None:
    walk.presented = walk.presented or walk.day


def _signed(walk: Walk) -> None:
    walk.signed = walk.signed or walk.day


def _vetoed(walk: Walk) -> None:
    walk.vetoed = walk.day


def _vetoed_in_part(walk: Walk) -> None:
    walk.line_items = plain_sections(walk.said.get("sections", ""))


def _merged(walk: Walk) -> None:
    walk.merged_into = walk.said["bill"]


_READERS: Mapping[Effect, Callable[[Walk], None]] = {
    Effect.REFERRED: _referred,
    Effect.REREFERRED: _referred,
    Effect.COMMITTEE_WORK: _worked_on,
    Effect.HEARING: _heard,
    Effect.REPORTED: _reported,
    Effect.COMMITTEE_FAILED: _committee_failed,
    Effect.ON_CALENDAR: _on_calendar,
    Effect.AMENDMENT_VOTE: _voted_on_amendment,
    Effect.PASSED: _passed,
    Effect.REJECTED: _rejected,
    Effect.RECONSIDERED: _reconsidered,
    Effect.ACT_NUMBER: _numbered,
    Effect.TO_GOVERNOR: _presented,
    Effect.SIGNED: _signed,
    Effect.VETOED: _vetoed,
    Effect.LINE_ITEM_VETOED: _vetoed_in_part,
    Effect.MERGED: _merged,
}


def walked(history: Sequence[ActionRow], table: PhraseTable = TABLE) -> Walk:
    """Everything the rows say, oldest first."""
    walk = Walk(introduced=history[0].date if history else None)
    for row in history:
        walk.day, walk.action = row.date, table.classify(row.description)
        reader = _READERS.get(table.effect(walk.action))
        if reader is not None:
            reader(walk)
    return walk
