"""What an issue's page says: its status and the proof of it, its bills, hearings and documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.config.board import Letter
from monitor.interpret.actions import hearing_day
from monitor.interpret.sentences import plain_day, plain_title
from monitor.interpret.sessions import has_special_number, session_of
from monitor.interpret.track import Track, read_track
from monitor.model.legislature import ActionRow, BillKey, Stage
from monitor.model.tracking import Direction, Effect
from monitor.store import bills, board, moves, watched
from monitor.store.watched import Listed, WatchedBill
from monitor.web import history, words
from monitor.web.board_view import Doubts, Row, legislature, read_row
from monitor.web.history import Line, Move
from monitor.web.links import Linker, Piece, anchor, safe
from monitor.web.words import When
from monitor.workflow.context import Context

#: So many bills that came to nothing stand open; the others are folded away.
_DEAD_SHOWN = 3

DIRECTIONS = {Direction.ADVANCES: "Advances this issue", Direction.REVERSES: "Would undo this"}
#: A bill that would not move the status is only watched: nobody has said that it helps.
_WATCHED_ONLY = "On this issue"
_ENDED = frozenset({Stage.DIED, Stage.FAILED, Stage.MERGED})


@dataclass(frozen=True, slots=True)
class BillView:
    """One bill with its track."""

    key: BillKey
    anchor: str
    session: str
    title: str
    official: str
    direction: Direction
    effect: Effect
    track: Track

    @property
    def label(self) -> str:
        return self.key.label

    @property
    def pill(self) -> str:
        is_only_watched = self.direction is Direction.ADVANCES and self.effect is Effect.NONE
        return _WATCHED_ONLY if is_only_watched else DIRECTIONS[self.direction]

    @property
    def is_over(self) -> bool:
        """Whether it came to nothing."""
        return self.track.reading.stage in _ENDED


@dataclass(frozen=True, slots=True)
class Hearing:
    """A hearing that is to come."""

    label: str
    title: str
    official: str
    on: When
    weekday: str


@dataclass(frozen=True, slots=True)
class DocumentView:
    title: str
    url: str
    seen: str


@dataclass(frozen=True, slots=True)
class LetterView:
    """A letter to a lawmaker; the placeholders stand as a person would leave them: "[your name]"."""

    subject: str
    body: str
    mailto: str
    template: str


@dataclass(frozen=True, slots=True)
class IssueView:
    """The whole page."""

    row: Row
    topic_id: str
    topic: str
    story: tuple[Piece, ...]
    verified: When | None
    since: When | None
    changed: When | None
    corrected: Move | None
    bills: tuple[BillView, ...]
    folded: tuple[BillView, ...]
    moves: tuple[Move, ...]
    line: Line | None
    hearings: tuple[Hearing, ...]
    legislature: str
    documents: tuple[DocumentView, ...]
    letter: LetterView | None
    action_url: str


def read_issue(session: Session, context: Context, issue_id: str) -> IssueView | None:
    """The page of an issue; None if the board has none of that id."""
    now = context.now()
    standing = next(iter(board.standings(session, now, issue_id)), None)
    if standing is None:
        return None
    linker = Linker.of(session, context.config)
    waiting = watched.unreviewed(session).get(issue_id, [])
    row = read_row(standing, linker, Doubts(context.config, now), waiting, now)
    rows = moves.published(session, issue_id)
    told = history.read_moves(session, rows, linker)
    own = watched.bills_of_issue(session, issue_id)
    drawn, folded, coming = _bills(session, own, linker, words.day(now))
    issue = standing.issue
    return IssueView(
        row=row,
        topic_id=issue.topic_id,
        topic=issue.topic.name,
        story=linker.pieces(issue.narrative, issue_id, [bill.key for bill in drawn]),
        verified=words.at(standing.verified_at) if standing.verified_at else None,
        since=words.on(issue.status_since) if issue.status_since else None,
        changed=next(
            (move.on for move in told if move.moved), words.on(issue.status_since) if issue.status_since else None
        ),
        corrected=next((move for move in told if move.corrects is not None), None),
        bills=drawn,
        folded=folded,
        moves=told,
        line=history.draw(told),
        hearings=coming,
        legislature=legislature(session, words.day(now)),
        documents=_documents(context.config, watched.publications_of_issue(session, issue_id)),
        letter=_letter(context.config, issue_id),
        action_url=safe(issue.action_url),
    )


def _bills(
    session: Session, own: Sequence[WatchedBill], linker: Linker, today: date
) -> tuple[tuple[BillView, ...], tuple[BillView, ...], tuple[Hearing, ...]]:
    """Those that stand open, those folded away, and the hearings to come."""
    rows = bills.histories(session, [bill.bill_id for bill in own])
    views = [_bill(bill, rows[bill.bill_id], linker, today) for bill in own]
    views.sort(key=lambda view: view.is_over)
    # Those that are over stand last.
    open_ = len(views) - sum(view.is_over for view in views) + _DEAD_SHOWN
    hearings = [one for bill in own for one in _hearings(bill, rows[bill.bill_id], linker, today)]
    return tuple(views[:open_]), tuple(views[open_:]), tuple(sorted(hearings, key=lambda one: one.on.iso))


def _bill(bill: WatchedBill, rows: Sequence[ActionRow], linker: Linker, today: date) -> BillView:
    return BillView(
        key=bill.key,
        anchor=anchor(bill.key),
        session=session_name(bill.key, rows[0].date if rows else None),
        title=plain_title(bill.title),
        official=linker.official(bill.key),
        direction=Direction(bill.direction),
        effect=Effect(bill.effect),
        track=read_track(bill.key, rows, today),
    )


def session_name(key: BillKey, first_day: date | None) -> str:
    """ "2025" for a regular session, else its name: "July 2020 Special Session"."""
    session = session_of(key, first_day)
    if session is None:
        return f"{key.session} Special Session" if has_special_number(key) else key.session
    return session.name if session.classification == "special" else key.session


def _hearings(bill: WatchedBill, rows: Sequence[ActionRow], linker: Linker, today: date) -> list[Hearing]:
    days = {day for row in rows if (day := hearing_day(row)) is not None and day >= today}
    return [
        Hearing(bill.key.label, plain_title(bill.title), linker.official(bill.key), words.on(day), f"{day:%A}")
        for day in sorted(days)
    ]


def _documents(config: Config, listed: Sequence[Listed]) -> tuple[DocumentView, ...]:
    concerns = {watch.id: watch.concerns for watch in config.watches()}
    kept = [one for one in listed if one.watch_id in concerns and concerns[one.watch_id](one.title)]
    return tuple(DocumentView(one.title, safe(one.url), plain_day(words.day(one.first_seen_at))) for one in kept[:12])


def _letter(config: Config, issue_id: str) -> LetterView | None:
    issues: Mapping[str, Letter | None] = {issue.id: issue.letter for issue in config.issues()}
    letter = issues.get(issue_id)
    if letter is None:
        return None
    subject, body = letter.filled("[your name]", "[your town]")
    lines = "\r\n".join(body.splitlines())
    mailto = f"mailto:?subject={quote(subject, safe='')}&body={quote(lines, safe='')}"
    return LetterView(subject, body, mailto, letter.body)
