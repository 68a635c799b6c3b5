"""What a bill's news means for an issue that watches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitor.interpret.sentences import plain_day
from monitor.interpret.stage import read_stage
from monitor.model.committees import committee_label
from monitor.model.legislature import ActionRow, BillKey, CanonicalAction, Chamber, Stage, StageReading
from monitor.model.tracking import Direction, Effect, Milestone, ProposalKind, Status, Suggestion

#: Entering one of these stages is a milestone; the stage's own sentence tells it.
STAGE_MILESTONES: Mapping[Stage, Milestone] = {
    Stage.SIGNED: Milestone.LAW,
    Stage.LAW_WITHOUT_SIGNATURE: Milestone.LAW,
    Stage.VETO_OVERRIDDEN: Milestone.LAW,
    Stage.LAW_IN_PART: Milestone.LAW_IN_PART,
    Stage.VETOED: Milestone.VETO,
    Stage.RECONSIDERED: Milestone.REVERSED,
    Stage.DIED: Milestone.DEATH,
    Stage.MERGED: Milestone.MERGED,
    Stage.FAILED: Milestone.FAILED,
    Stage.ADOPTED: Milestone.ADOPTED,
}

#: A new row of one of these classifications is a milestone: (milestone, sentence).
ACTION_MILESTONES: Mapping[str, tuple[Milestone, str]] = {
    "committee-passage-favorable": (Milestone.COMMITTEE_VOTE, "The {committee} approved {bill} on {day}."),
    "passage": (Milestone.CHAMBER_PASSAGE, "The {chamber} passed {bill} on {day}."),
    "act-number": (Milestone.ACT_NUMBER, "{bill} was numbered {act} on {day}; the number alone does not make it law."),
}

#: Classified as a committee's approval, but only its report reaching the floor: the vote has a row of its own.
_NO_VOTES = frozenset({"chamber-favorable-report"})

#: When several things happened at once, the first of these is the one to say.
WEIGHT: Sequence[Milestone] = tuple(Milestone)


@dataclass(frozen=True, slots=True)
class Event:
    """One milestone, the sentence that tells it, and the position of the row that proves it, if one does."""

    milestone: Milestone
    sentence: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What an issue says today and what this bill would mean for it.

    ``lifted_from`` is the status the issue had before this bill's enactment moved it, if a
    published transition says so and none has undone it since.
    """

    status: Status
    direction: Direction
    effect: Effect
    lifted_from: Status | None = None


def events(
    key: BillKey,
    before: StageReading | None,
    now: StageReading,
    history: Sequence[tuple[ActionRow, CanonicalAction]],
    new: Sequence[int],
) -> list[Event]:
    """The milestones among what is new: the ``new`` positions of ``history``, and the stage's move."""
    found = [event for index in new for event in _of_action(key, history, index)]
    if now.stage is Stage.ADOPTED:
        found = [event for event in found if event.milestone is not Milestone.CHAMBER_PASSAGE]
    milestone = _of_stage(before, now, late_rows=bool(new))
    if milestone is not None:
        found.append(Event(milestone, now.reason, _turning_row(key, now.stage, history, new)))
    return sorted(found, key=lambda event: WEIGHT.index(event.milestone))


def _of_stage(before: StageReading | None, now: StageReading, *, late_rows: bool) -> Milestone | None:
    if before is not None and before.stage.is_law and not now.stage.is_law:
        return Milestone.REVERSED
    if late_rows and before is not None and before.stage is now.stage is Stage.DIED and before.reason != now.reason:
        return Milestone.DEATH  # it died somewhere else than we knew
    return STAGE_MILESTONES.get(now.stage) if before is None or before.stage != now.stage else None


def _turning_row(
    key: BillKey, stage: Stage, history: Sequence[tuple[ActionRow, CanonicalAction]], new: Sequence[int]
) -> int | None:
    """The first new row that put the bill into its stage."""
    rows = [row for row, _ in history]
    return next((at for at in new if read_stage(key, rows[: at + 1], rows[at].date).stage is stage), None)


def hearing_event(key: BillKey, day: date) -> Event:
    """The day a noticed public hearing was set for has come and gone."""
    return Event(Milestone.HEARING, f"A public hearing on {key.label} was set for {plain_day(day)}.")


def report_event(title: str, page: str) -> Event:
    """A document or report that was not on ``page`` before."""
    return Event(Milestone.REPORT, f"“{title}” was published on the page “{page}”.")


def _of_action(key: BillKey, history: Sequence[tuple[ActionRow, CanonicalAction]], index: int) -> list[Event]:
    row, action = history[index]
    if action.phrase in _NO_VOTES:
        return []
    rules = [ACTION_MILESTONES[term] for term in action.classification if term in ACTION_MILESTONES]
    return [Event(milestone, _fill(template, key, history, index, row, action), index) for milestone, template in rules]


def _fill(
    template: str,
    key: BillKey,
    history: Sequence[tuple[ActionRow, CanonicalAction]],
    index: int,
    row: ActionRow,
    action: CanonicalAction,
) -> str:
    return template.format(
        bill=key.label,
        day=plain_day(row.date),
        committee=_committee(history, index, action),
        chamber=_chamber(key, action),
        act=f"{'Special' if 'special' in action.phrase else 'Public'} Act {action.arguments.get('act', '')}".strip(),
    )


def _chamber(key: BillKey, action: CanonicalAction) -> str:
    chamber = action.arguments.get("chamber")
    return Chamber(chamber).label if chamber else key.chamber.label


def _committee(history: Sequence[tuple[ActionRow, CanonicalAction]], index: int, action: CanonicalAction) -> str:
    """The committee that voted: the web's own column names it, the bulk files leave it to the last referral."""
    voted_here = action.phrase in ("joint-favorable", "chamber-favorable")
    named = action.arguments.get("committee", "") if voted_here else ""
    if not named:
        referrals = [one for _, one in history[:index] if _refers(one)]
        named = referrals[-1].arguments.get("committee", "") if referrals else ""
    return committee_label(named).removeprefix("the ") if named else "committee"


def _refers(action: CanonicalAction) -> bool:
    return "referral-committee" in action.classification and bool(action.arguments.get("committee"))


def suggest(
    happened: Sequence[Event],
    now: StageReading | None,
    standing: Standing,
    policy: Mapping[Milestone, str],
) -> Suggestion | None:
    """What to propose for one issue, or None when the news is mere activity.

    ``policy`` says of each milestone whether it may suggest a status, only a narrative, or nothing.
    A status is suggested only by law (or its loss), and only as far as the watch's effect says.
    """
    telling = [event for event in happened if policy.get(event.milestone, "activity") != "activity"]
    if not telling:
        return None
    lead = telling[0]
    reason = " ".join(dict.fromkeys(event.sentence for event in telling))
    target = target_status(now, standing) if now is not None else None
    if target is not None and target != standing.status and policy[lead.milestone] == "status":
        return Suggestion(ProposalKind.STATUS, reason, lead.sentence, target)
    return Suggestion(ProposalKind.NARRATIVE, reason, lead.sentence)


def target_status(now: StageReading, standing: Standing) -> Status | None:
    """The status the bill's stage speaks for: its effect once it is law, the way back once it is none."""
    if not now.is_law:
        return standing.lifted_from
    if standing.effect is Effect.NONE:
        return None
    wished = Status(standing.effect.value)
    pick = max if standing.direction is Direction.ADVANCES else min
    return pick(standing.status, wished, key=lambda status: status.rank)
