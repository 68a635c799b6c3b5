"""Search: what somebody typed into bill and act numbers and words, and what the board and the record have of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from monitor.interpret.citations import ActCitation, BillCitation, find_acts, find_bills
from monitor.model.legislature import BillKey, Stage
from monitor.model.tracking import Status
from monitor.store import search as store
from monitor.store.schema import Action, Bill, Issue
from monitor.store.search import Piece, pieces
from monitor.workflow.context import Context

#: What is looked at of what was typed, and how much of each kind is shown.
LONGEST, SHOWN = 200, 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed, understood. ``notes`` say which of the bills named cannot exist."""

    words: tuple[str, ...]
    bills: tuple[BillCitation, ...] = ()
    acts: tuple[ActCitation, ...] = ()

    @property
    def cited(self) -> bool:
        return bool(self.bills or self.acts)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.problem for one in self.bills if one.problem))


@dataclass(frozen=True, slots=True)
class IssueHit:
    id: str
    topic: str
    name: str
    status: str
    text: tuple[Piece, ...]

    @property
    def label(self) -> str:
        return Status(self.status).label


@dataclass(frozen=True, slots=True)
class BillHit:
    key: BillKey
    stage: str | None
    act: str | None
    title: tuple[Piece, ...]

    @property
    def stage_label(self) -> str:
        return Stage(self.stage).label.capitalize() if self.stage else "Not read yet"

    @property
    def act_label(self) -> str:
        """ "Public Act 25-19", "Special Act 25-12"; "" for none."""
        if not self.act:
            return ""
        return f"Special Act {self.act[3:]}" if self.act.startswith("SA ") else f"Public Act {self.act}"


@dataclass(frozen=True, slots=True)
class ActionHit:
    """``gone``: no source shows the row any more."""

    key: BillKey
    on: date
    gone: bool
    text: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; ``more`` names the kinds of which there is more than is shown."""

    wanted: Wanted
    issues: tuple[IssueHit, ...] = ()
    bills: tuple[BillHit, ...] = ()
    actions: tuple[ActionHit, ...] = ()
    more: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return {
            "words": list(self.wanted.words),
            "notes": list(self.wanted.notes),
            "issues": [
                {"issue": one.id, "name": one.name, "status": one.status, "text": _plain(one.text)}
                for one in self.issues
            ],
            "bills": [
                {**_named(one.key), "title": _plain(one.title), "stage": one.stage, "act": one.act}
                for one in self.bills
            ],
            "actions": [
                {**_named(one.key), "date": one.on.isoformat(), "text": _plain(one.text), "gone": one.gone}
                for one in self.actions
            ],
            "more": list(self.more),
        }


def _named(key: BillKey) -> dict[str, str]:
    return {"session": key.session, "bill": key.identifier}


def _plain(text: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in text)


def understand(typed: str) -> Wanted:
    """Bill and act numbers in every spelling; the rest is words."""
    text = " ".join(typed[:LONGEST].split())
    # A number by itself is a bill's.
    text = f"Bill {text}" if text.isascii() and text.isdigit() and len(text) <= 5 else text
    # People who search write no capitals; citations are found by theirs.
    spellings = (text, text.title(), text.upper())
    text = next((one for one in spellings if find_bills(one) or find_acts(one)), text)
    bills, acts = tuple(find_bills(text)), tuple(find_acts(text))
    rest = text
    for citation in [one.text for one in bills] + [one.text for one in acts]:
        rest = rest.replace(citation, " ")
    return Wanted(store.words_of(rest), bills, acts)


def search(context: Context, typed: str) -> Found:
    """Everything that has all of what was typed: issues, bills and actions, at most ``SHOWN`` of each."""
    wanted = understand(typed)
    if not (wanted.words or wanted.cited):
        return Found(wanted)
    with context.database.reading() as session:
        issues = _issues(session, wanted)
        cited = _cited(session, wanted)
        titled = [] if wanted.cited else store.bills(session, wanted.words, SHOWN + 1)
        bills = [_bill(*one) for one in ([(bill, bill.title) for bill in cited] or titled)]
        ids = [bill.id for bill in cited] if wanted.cited else None
        actions = [_action(*one) for one in store.actions(session, wanted.words, ids, SHOWN + 1)]
    counts = {"issues": len(issues), "bills": len(bills), "actions": len(actions)}
    more = tuple(name for name, count in counts.items() if count > SHOWN)
    return Found(wanted, tuple(issues[:SHOWN]), tuple(bills[:SHOWN]), tuple(actions[:SHOWN]), more)


def _cited(session: Session, wanted: Wanted) -> list[Bill]:
    numbers = [(_identifier(one), one.session) for one in wanted.bills if not one.problem]
    acts = [(one.listed, str(one.year)) for one in wanted.acts]
    return store.numbered(session, numbers, acts, SHOWN + 1)


def _identifier(one: BillCitation) -> str:
    return f"{one.letters}{one.number:05d}"


def _issues(session: Session, wanted: Wanted) -> list[IssueHit]:
    """A number is written in many ways: the texts, which are few, are read for it."""
    found = store.issues(session, wanted.words, None if wanted.cited else SHOWN + 1)
    if not wanted.cited:
        return [_issue(issue, pieces(marked)) for issue, marked in found]
    read = [(issue, _mentions(issue.narrative, wanted)) for issue, _ in found]
    return [_issue(issue, mentions) for issue, mentions in read if mentions][: SHOWN + 1]


def _mentions(narrative: str, wanted: Wanted) -> tuple[Piece, ...]:
    """The narrative with what names the wanted bills and acts marked; empty unless it names them all."""
    bills, acts = find_bills(narrative), find_acts(narrative)
    named = [[(one.start, one.text) for one in bills if _is_same(one, bill)] for bill in wanted.bills]
    named += [[(one.start, one.text) for one in acts if _is_same_act(one, act)] for act in wanted.acts]
    if not all(named):
        return ()
    found, place = [], 0
    for start, text in sorted(mention for mentions in named for mention in mentions):
        if start >= place:
            found += [Piece(narrative[place:start], hit=False), Piece(text, hit=True)]
            place = start + len(text)
    return (*found, Piece(narrative[place:], hit=False))


def _is_same(one: BillCitation, wanted: BillCitation) -> bool:
    is_bill = (one.letters, one.number) == (wanted.letters, wanted.number)
    return is_bill and (one.session is None or wanted.session is None or one.session == wanted.session)


def _is_same_act(one: ActCitation, wanted: ActCitation) -> bool:
    return (one.kind, one.year, one.number) == (wanted.kind, wanted.year, wanted.number)


def _issue(issue: Issue, text: tuple[Piece, ...]) -> IssueHit:
    return IssueHit(issue.id, issue.topic.name, issue.name, issue.status, text)


def _bill(bill: Bill, marked: str) -> BillHit:
    return BillHit(bill.key, bill.stage, bill.act, pieces(marked))


def _action(action: Action, bill: Bill, marked: str) -> ActionHit:
    return ActionHit(bill.key, action.date, action.gone, pieces(marked))
