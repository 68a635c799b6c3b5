"""The public pages: the board, its issues, changes, hearings, how we decide, and the same for other sites."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy.orm import Session

from monitor.model.tracking import Status
from monitor.store import moves
from monitor.web import calendar, feeds, history, share, words
from monitor.web.access import Access, access
from monitor.web.answers import Answer, answered, page
from monitor.web.archive import saved
from monitor.web.board_view import Board, legislature, read_board
from monitor.web.context import monitor
from monitor.web.history import Move
from monitor.web.issue_view import IssueView, read_issue
from monitor.web.links import Linker
from monitor.web.public import show

blueprint = Blueprint("board", __name__)


@blueprint.get("/")
@access(Access.PUBLIC)
@answered(status=frozenset(Status))
def board(session: Session) -> Answer:
    """Where every issue stands; ``?status=`` shows those of one status."""
    context = monitor()
    found = read_board(session, context)
    asked = request.args.get("status", "")
    only = Status(asked) if asked in list(Status) else None
    heading = context.config.web.title
    topics = found.topics if only is None else found.only(only)
    return page(
        show(
            "board.html.j2",
            heading,
            share.summary(found),
            share.address("board.board"),
            page=found,
            topics=topics,
            only=only,
            lead=_lead(found),
        )
    )


def _lead(found: Board) -> str:
    issues, topics = len(found.rows), len(found.topics)
    return (
        f"{words.count(issues, 'issue')} in {words.in_words(topics)} {'topic' if topics == 1 else 'topics'}. "
        "A person approved every status, and each one links to the official record it rests on."
    )


def _issue(session: Session, issue_id: str) -> IssueView:
    found = read_issue(session, monitor(), issue_id)
    if found is None:
        abort(404)
    return found


@blueprint.get("/issues/<issue_id>")
@access(Access.PUBLIC)
@answered()
def issue(session: Session, issue_id: str) -> Answer:
    """One issue and the proof of its status."""
    found = _issue(session, issue_id)
    here = share.address("board.issue", issue_id=issue_id)
    summary = f"{found.row.status.label}. {found.row.text}"
    return page(show("issue.html.j2", found.row.name, summary, here, page=found))


def _moves(session: Session, limit: int = moves.MOST) -> tuple[Move, ...]:
    rows = moves.published(session, limit=limit)
    return history.read_moves(session, rows, Linker.of(session, monitor().config))


@blueprint.get("/changes")
@access(Access.PUBLIC)
@answered()
def changes(session: Session) -> Answer:
    """Every published move, corrections among them."""
    told = _moves(session)
    corrections = [move for move in told if move.corrects is not None]
    summary = "Every status change a maintainer approved, with its evidence, and every correction."
    here = share.address("board.changes")
    return page(show("changes.html.j2", "Changes", summary, here, moves=told, corrections=corrections))


@blueprint.get("/hearings")
@access(Access.PUBLIC)
@answered()
def hearings(session: Session) -> Answer:
    """Hearings to come on any bill the board watches."""
    context = monitor()
    coming = calendar.coming(session, context)
    where = legislature(session, context.today())
    summary = "Public hearings on the bills this board watches."
    here = share.address("board.hearings")
    return page(show("hearings.html.j2", "Hearings", summary, here, coming=coming, legislature=where))


@blueprint.get("/how-we-decide")
@access(Access.PUBLIC)
@answered()
def how_we_decide(session: Session) -> Answer:
    """What makes the board trustworthy."""
    summary = "Machines read the legislature's pages, a person approves every status, corrections are public."
    return page(show("how.html.j2", "How we decide", summary, share.address("board.how_we_decide")))


@blueprint.get("/share", endpoint="share", defaults={"issue_id": ""})
@blueprint.get("/issues/<issue_id>/share", endpoint="share")
@access(Access.PUBLIC)
@answered()
def share_page(session: Session, issue_id: str) -> Answer:
    """What to copy into another site's page."""
    found = read_board(session, monitor())
    rows = [row for row in found.rows if not issue_id or row.id == issue_id]
    if issue_id and not rows:
        abort(404)
    heading = f"Put {rows[0].name if issue_id else 'this board'} on your site"
    embed = share.address("board.embed", issue_id=issue_id)
    fragment = render_template("fragment.html.j2", rows=rows, address=share.address, verified=found.fresh.verified)
    values = {"frame": share.frame(embed, rows[0].name if issue_id else ""), "fragment": fragment, "embed": embed}
    return page(
        show("share.html.j2", heading, f"{heading}: a frame, or plain HTML.", share.address("board.share"), **values)
    )


@blueprint.get("/embed", defaults={"issue_id": ""})
@blueprint.get("/embed/<issue_id>")
@access(Access.PUBLIC)
@answered()
def embed(session: Session, issue_id: str) -> Answer:
    """The board or one issue, made to stand inside another site's frame."""
    found = read_board(session, monitor())
    rows = [row for row in found.rows if not issue_id or row.id == issue_id]
    if issue_id and not rows:
        abort(404)
    here = share.address("board.issue", issue_id=issue_id) if issue_id else share.address("board.board")
    heading = rows[0].name if issue_id else monitor().config.web.title
    body = show("embed.html.j2", heading, "", here, rows=rows, alone=bool(issue_id), verified=found.fresh.verified)
    return Answer(body.encode(), policy=share.EMBED_POLICY)


@blueprint.get("/board.json")
@access(Access.PUBLIC)
@answered()
def board_json(session: Session) -> Answer:
    """The whole board for programs."""
    return Answer(feeds.board_json(session, monitor()), "application/json")


@blueprint.get("/feed.atom")
@access(Access.PUBLIC)
@answered()
def atom(session: Session) -> Answer:
    """Every published move as a feed."""
    told = _moves(session, feeds.MOST)
    rows = () if told else read_board(session, monitor()).rows
    began = max((row.updated_at for row in rows), default=None)
    return Answer(feeds.atom(monitor().config, told, began), "application/atom+xml")


@blueprint.get("/issues/<issue_id>/feed.atom")
@access(Access.PUBLIC)
@answered()
def issue_atom(session: Session, issue_id: str) -> Answer:
    """One issue's moves as a feed."""
    found = _issue(session, issue_id)
    body = feeds.atom(monitor().config, found.moves, found.row.updated_at, (issue_id, found.row.name))
    return Answer(body, "application/atom+xml")


@blueprint.get("/hearings.ics", endpoint="calendar")
@access(Access.PUBLIC)
@answered()
def calendar_file(session: Session) -> Answer:
    """Every hearing of a watched bill as a calendar."""
    return Answer(calendar.ical(session, monitor()), "text/calendar")


@blueprint.get("/archive/<sha256>")
@access(Access.PUBLIC)
def archive(sha256: str) -> Any:
    """A saved page that a published move rests on, as text that nothing runs."""
    with monitor().database.reading() as session:
        snapshot = moves.cited_snapshot(session, sha256)
        if snapshot is None:
            abort(404)
        return saved(session, snapshot)
