"""The form of a correction: what was said, what is right, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from monitor.model.tracking import Status
from monitor.store import board
from monitor.store.schema import Issue, Transition
from monitor.web import words
from monitor.web.decide import FieldError, Form
from monitor.web.proposal_view import Draft, Problem
from monitor.workflow.context import Context
from monitor.workflow.correct import correct
from monitor.workflow.review import Refusal, moved_since
from monitor.workflow.undo import GRACE


@dataclass(frozen=True, slots=True)
class Right:
    """A correction that was published: by whom, why, and what the board said from then on."""

    by: str
    reason: str
    status: Status
    text: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """A published move that may be corrected.

    ``proposal`` is what it began with, ``newest`` the last correction of it, or itself, and ``right`` what that says.
    ``last`` is the newest move of its issue, ``seen`` when that was; ``stands`` and ``text`` are what the board says
    today.
    """

    proposal: int
    move: int
    newest: int
    right: Right | None
    last: int
    seen: datetime
    issue: str
    said: str
    on: str
    by: str
    from_status: Status
    to_status: Status
    stands: Status
    text: str
    draft: Draft

    @property
    def is_last(self) -> bool:
        """Nothing was published of its issue since."""
        return self.last == self.move

    @property
    def is_corrected(self) -> bool:
        return self.newest != self.move


def read_wrong(session: Session, move_id: int) -> Wrong | None:
    """The published move of this number; None if there is none."""
    move = session.get(Transition, move_id)
    proposal = board.lineage(session, move)[-1].proposal_id if move is not None else None
    if move is None or proposal is None:
        return None
    last = board.last_move(session, move.issue_id) or move
    issue = session.get_one(Issue, move.issue_id)
    back = Draft(Status(move.from_status), move.narrative_before)
    known = board.corrections(session, move.id)
    return Wrong(
        proposal=proposal,
        move=move.id,
        newest=known[-1].id if known else move.id,
        right=_right(known[-1]) if known else None,
        last=last.id,
        seen=issue.updated_at,
        issue=issue.name,
        said=move.reason,
        on=words.plain_moment(move.at),
        by=move.decided_by,
        from_status=Status(move.from_status),
        to_status=Status(move.to_status),
        stands=Status(issue.status),
        text=issue.narrative,
        draft=back if last.id == move.id else Draft(Status(issue.status), issue.narrative),
    )


def _right(move: Transition) -> Right:
    return Right(move.decided_by, move.reason, Status(move.to_status), move.narrative_after.strip())


def publish(context: Context, wrong: Wrong, by: str, form: Form) -> None:
    """Publish it; nothing is sent for a minute. Raises FieldError and Refusal."""
    draft = form.draft
    if (form.last, form.seen) != (wrong.last, wrong.seen) and not wrong.is_corrected:
        raise moved_since(wrong.issue)
    if not draft.reason:
        raise FieldError(Problem("Say what is right, in a sentence: readers are told.", "reason"))
    if not draft.narrative:
        raise FieldError(Problem("Write the text the board should have.", "narrative"))
    back = (wrong.draft.status, wrong.draft.narrative.strip())
    if wrong.is_last and (draft.status, draft.narrative) == back:
        correct(context, wrong.move, by, draft.reason, seen=form.seen, hold=GRACE)
    else:
        status, text = draft.status, draft.narrative
        correct(context, wrong.move, by, draft.reason, status=status, narrative=text, seen=form.seen, hold=GRACE)


def is_done(wrong: Wrong, by: str, draft: Draft) -> bool:
    """Whether this person has published this correction already, to the word: a double click, or the back button."""
    right = wrong.right
    return right is not None and (right.by, right.reason, right.status, right.text) == (
        by,
        draft.reason,
        draft.status,
        draft.narrative,
    )


def refused(wrong: Wrong, refusal: Refusal) -> Problem:
    """Why nothing was published, and where to correct a correction."""
    said = str(refusal)
    text = f"{said[:1].upper()}{said[1:]} Your text is kept below."
    if not wrong.is_corrected:
        return Problem(text)
    return Problem(text, link=f"/desk/moves/{wrong.newest}/correct", link_text="Correct the correction")
