"""What a proposal means: the stage it moved, the bill's way, why this status, and what was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from monitor.interpret.actions import classify
from monitor.interpret.track import Track, read_track
from monitor.model.legislature import ActionRow, Stage
from monitor.model.tracking import ChangeKind, Direction, Effect, ProposalKind, Status
from monitor.store import sources
from monitor.store.schema import Bill, ChangeRow, Evidence, Proposal, Watch
from monitor.web import words

#: What a watch's mark says of a bill's enactment.
MARKS = {
    Effect.ACHIEVED: "achieves this issue",
    Effect.SOME_PROGRESS: "makes some progress on this issue",
    Effect.NO_PROGRESS: "undoes this issue",
    Effect.NONE: "does not move this issue's status",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """``before`` and ``after`` are stages in words, ``watch`` the one whose mark decides."""

    before: str
    after: str
    is_law: bool
    track: Track | None
    steps: tuple[Step, ...]
    why: str
    checks: tuple[str, ...]
    watch: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the small track. ``look`` is its mark, ``day`` short, ``is_new``: this news drew it."""

    name: str
    look: str
    day: str
    is_new: bool


def read_meaning(
    session: Session,
    proposal: Proposal,
    bill: Bill | None,
    rows: Sequence[ActionRow],
    changed: Mapping[int, ChangeRow],
    today: date,
) -> Meaning:
    """``rows`` are the bill's history as it stands, ``changed`` the changes that the evidence names."""
    if bill is None:
        return Meaning("", "", False, None, (), _why_publication(proposal), ())
    track = read_track(bill.key, rows, today)
    watch = _watch(session, proposal, bill)
    before, after = _stages(proposal, changed)
    law = track.reading.is_law
    dates = {one.action_date for one in proposal.evidence if one.action_date is not None}
    return Meaning(
        before=before if before != after else "",
        after=after or track.reading.stage.label,
        is_law=law,
        track=track,
        steps=tuple(_steps(track, dates, today)),
        why=_why(proposal, watch, track.reading.stage),
        checks=tuple(_checks(rows, track.reading.stage)),
        watch=watch.id if watch is not None and watch.active and proposal.kind != ProposalKind.REVIEW else "",
    )


def _watch(session: Session, proposal: Proposal, bill: Bill) -> Watch | None:
    watches = sources.watches_of_bill(session, bill.id)
    return next((one for one in watches if one.issue_id == proposal.issue_id), None)


def _stages(proposal: Proposal, changed: Mapping[int, ChangeRow]) -> tuple[str, str]:
    """The stage before the newest news and after it. An amended row keeps its two wordings there instead."""
    newest: Evidence | None = None
    for one in proposal.evidence:
        change = changed.get(one.change_id or 0)
        amended = change is not None and change.kind == ChangeKind.ACTION_AMENDED
        if not amended and one.after and (newest is None or one.first_seen_at > newest.first_seen_at):
            newest = one
    return (newest.before, newest.after) if newest is not None else ("", "")


def _steps(track: Track, dates: set[date], today: date) -> list[Step]:
    return [
        Step(
            name=step.name,
            look=step.mark.value,
            day=_words(step.words, step.on, today) if step.mark != "ahead" else "",
            is_new=step.on is not None and step.on in dates,
        )
        for step in track.steps
    ]


def _words(said: str, on: date | None, today: date) -> str:
    if on is None:
        return said
    for name, short in (("Public Act", "PA"), ("Special Act", "SA")):
        if said.startswith(name):
            return short + said.partition(";")[0].removeprefix(name)
    return words.short_day(on, today)


def _why(proposal: Proposal, watch: Watch | None, stage: Stage) -> str:
    if proposal.kind == ProposalKind.REVIEW:
        return _what_to_decide(proposal)
    if watch is None:
        return "No watch of this issue names the bill any more."
    mark = f"a bill marked “{MARKS[Effect(watch.effect)]}”"
    if proposal.kind == ProposalKind.STATUS:
        status = Status(str(proposal.to_status)).label
        back = f"What had moved this issue is no law any more: it goes back to {status}."
        return f"A{mark[1:]} became law: it suggests {status}." if stage.is_law else back
    if stage.is_law:
        return f"The law comes from {mark}, so the status stays; the text may be behind."
    undoes = "would undo the issue and " if Direction(watch.direction) is Direction.REVERSES else ""
    return f"Only law moves a status, and this {undoes}is none: the text may be behind."


def _what_to_decide(proposal: Proposal) -> str:
    if proposal.subject.startswith("quarantine:"):
        return "Which page is right. Until you say, the last good one counts. It publishes nothing."
    return "Only a person can settle this. It publishes nothing."


def _why_publication(proposal: Proposal) -> str:
    is_review = proposal.kind == ProposalKind.REVIEW
    return _what_to_decide(proposal) if is_review else "A document moves no status; the text may be behind."


#: For a bill that is law and for any other: what the history is searched for, and what is said of it, or without it.
_SIGNATURE = ("executive-signature", "Signature row found ({day}).", "No signature row.")
_VETO = ("executive-veto", "Veto row found ({day}).", "")
_ACT_NUMBER = ("act-number", "The act number alone ({day}) was not counted as law.", "")


def _checks(rows: Sequence[ActionRow], stage: Stage) -> Iterator[str]:
    history = [(row, classify(row.description)) for row in rows]
    if not history:
        return
    for term, found, missing in (_SIGNATURE if stage.is_law else _VETO, _ACT_NUMBER):
        days = [row.date for row, action in history if term in action.classification]
        if days or missing:
            yield found.format(day=words.short_day(days[-1], rows[-1].date)) if days else missing
    unknown = sum(action.phrase == "unclassified" for _, action in history)
    if unknown:
        yield f"{words.count(unknown, 'row')} of the history could not be understood."
