"""A press of a button on a proposal's page becomes a decision, or words that say why not. Nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from werkzeug.datastructures import MultiDict

from monitor.model.tracking import ProposalState, Status
from monitor.web.outcome import Outcome
from monitor.web.proposal_view import Draft, Problem, ProposalView
from monitor.workflow import review
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal
from monitor.workflow.undo import GRACE, undo

_KEPT = "Your text is kept below."
_LAST_GOOD = "The last good page is right."


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent. ``version``, ``seen`` and ``last`` are those of the page it was typed on.

    ``last`` is the newest move of the issue.
    """

    do: str
    version: int | None
    seen: datetime | None
    last: int | None
    draft: Draft


class FieldError(Exception):
    """Something is missing that only the person can give."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def read_form(sent: MultiDict[str, str]) -> Form:
    """Whatever a browser may send; what makes no sense counts as not said."""
    status = sent.get("status", "")
    return Form(
        do=sent.get("do", ""),
        version=sent.get("version", type=int),
        seen=_moment(sent.get("seen", "")),
        last=sent.get("last", type=int),
        draft=Draft(
            status=Status(status) if status in set(Status) else None,
            narrative=_plain(sent.get("narrative", "")),
            reason=_plain(sent.get("reason", "")),
            until=sent.get("until", "").strip(),
        ),
    )


def _plain(text: str) -> str:
    """Browsers send CRLF, and text areas add blanks at the end."""
    return text.replace("\r\n", "\n").strip()


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


Act = Callable[[Context, ProposalView, str, Form], object]


def _approve(context: Context, view: ProposalView, by: str, form: Form) -> None:
    if not view.publishes:
        review.approve(context, view.id, by, version=form.version)
        return
    draft, suggested = form.draft, view.suggested
    if not draft.narrative:
        raise FieldError(Problem("Write the text the board should have.", "narrative"))
    has_moved = view.is_pending and view.stands is not view.before
    is_other = draft.status is not None and draft.status is not suggested.status
    review.approve(
        context,
        view.id,
        by,
        status=draft.status if has_moved or is_other else None,
        narrative=draft.narrative if draft.narrative != suggested.narrative.strip() else None,
        version=form.version,
        seen=form.seen,
        hold=GRACE,
    )


def _reject(context: Context, view: ProposalView, by: str, form: Form) -> None:
    if not form.draft.reason:
        raise FieldError(Problem("Say why: the next maintainer will want to know.", "reason"))
    review.reject(context, view.id, by, form.draft.reason, version=form.version)


def _keep(context: Context, view: ProposalView, by: str, form: Form) -> None:
    reason = form.draft.reason or _LAST_GOOD
    review.reject(context, view.id, by, reason, version=form.version)


def _postpone(context: Context, view: ProposalView, by: str, form: Form) -> None:
    try:
        until = date.fromisoformat(form.draft.until)
    except ValueError:
        raise FieldError(Problem("Name the day it should come back.", "until")) from None
    if until <= context.today():
        raise FieldError(Problem("Name a day that is to come.", "until"))
    review.postpone(context, view.id, by, until, version=form.version)


def _undo(context: Context, view: ProposalView, by: str, form: Form) -> None:
    undo(context, view.id, by, version=form.version)


#: What the buttons do. Anything else only shows the page again with what was typed.
ACTS: Mapping[str, Act] = {
    "approve": _approve,
    "reject": _reject,
    "keep": _keep,
    "postpone": _postpone,
    "undo": _undo,
}


def is_done(view: ProposalView, by: str, form: Form) -> bool:
    """Whether what was asked for is what this person has done already: a double click, or the back button."""
    if form.do == "undo":
        return view.is_pending and not view.is_postponed
    if form.do == "postpone":
        return view.is_postponed and view.until == form.draft.until
    if view.outcome is None or view.outcome.who != by or form.version != view.version - 1:
        return False
    return _SAME[form.do](view, view.outcome, form.draft)


def _is_published(view: ProposalView, outcome: Outcome, draft: Draft) -> bool:
    if outcome.did not in (ProposalState.APPROVED, ProposalState.AMENDED):
        return False
    said = (draft.status or view.suggested.status, draft.narrative)
    return not view.publishes or said == (view.after, _plain(view.published))


def _is_rejected(view: ProposalView, outcome: Outcome, draft: Draft) -> bool:
    return outcome.did is ProposalState.REJECTED and outcome.reason == draft.reason


def _is_kept(view: ProposalView, outcome: Outcome, draft: Draft) -> bool:
    return outcome.did is ProposalState.REJECTED and outcome.reason == (draft.reason or _LAST_GOOD)


#: Whether the outcome is what a button asked for, to the word.
_SAME: Mapping[str, Callable[[ProposalView, Outcome, Draft], bool]] = {
    "approve": _is_published,
    "reject": _is_rejected,
    "keep": _is_kept,
}


def refused(view: ProposalView, form: Form, refusal: Refusal) -> Problem:
    """Why nothing was done: who was faster, what replaced it, or what changed meanwhile."""
    kept = f" {_KEPT}" if view.typed(form.draft).is_typed else ""
    if view.outcome is not None and view.outcome.newer is not None:
        link = f"Proposal {view.outcome.newer}"
        return Problem(f"{view.outcome.text}{kept}", link=f"/desk/proposals/{view.outcome.newer}", link_text=link)
    if not view.is_pending and form.do != "undo" and view.outcome is not None:
        return Problem(f"{view.taken or view.outcome.text}{kept}")
    if form.version is not None and form.version != view.version:
        return Problem(f"This proposal has changed since you opened the page: look at it again.{kept}")
    said = str(refusal)
    return Problem(f"{said[:1].upper()}{said[1:]}{kept}")
