"""A reader's own page, behind the signed link in each message: change, pause, leave, take the data, be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, redirect, request, url_for
from flask.json import dumps
from werkzeug.wrappers import Response as Answered

from monitor.interpret.sentences import plain_day
from monitor.store import subscriptions
from monitor.store.schema import Subscription
from monitor.web import wanted
from monitor.web.access import Access, access
from monitor.web.context import monitor
from monitor.web.public import show
from monitor.web.subscribe import bad_link, form_values, number_of, offered, private, told
from monitor.web.wanted import Typed, Wrong
from monitor.workflow import managing
from monitor.workflow.links import Purpose

blueprint = Blueprint("manage", __name__, url_prefix="/alerts/<token>")
blueprint.before_request(offered)
blueprint.after_request(private)
blueprint.register_error_handler(404, bad_link)

#: What was done, for the page that follows.
DONE: Mapping[str, str] = {
    "confirmed": "You are subscribed. This is your own page: each message leads back to it.",
    "changed": "Your changes are kept.",
    "paused": "Nothing is sent until then. What comes up meanwhile is sent together when the pause ends.",
    "again": "The pause is over.",
    "back": "You are subscribed again.",
}

#: A pause that is longer is a mistake, or leaving.
_LONGEST_PAUSE = timedelta(days=366)


def _number(token: str) -> int:
    return number_of(Purpose.MANAGE, token)


def _row(number: int) -> Subscription | None:
    with monitor().database.reading() as session:
        return session.get(Subscription, number)


def _live(token: str) -> Subscription | Response:
    """The subscription, or the page that says why there is none to change."""
    row = _row(_number(token))
    if row is None:
        abort(404)
    if row.left_at is not None:
        return _left(token)
    if row.broken_at is not None:
        return told("We cannot write to you", "Your address refused our mail, so nothing is sent. Sign up again.")
    return row


@blueprint.get("")
@access(Access.PUBLIC)
def page(token: str) -> Response | str:
    """The form filled in, and everything else a reader may do."""
    row = _live(token)
    return row if isinstance(row, Response) else _page(row, token)


def _page(row: Subscription, token: str, asked: Typed | None = None, wrong: Sequence[Wrong] = ()) -> str:
    chosen = wanted.of_choice(subscriptions.choice_of(row))
    today = _today(row)
    return show(
        "manage.html.j2",
        "Your alerts",
        "",
        "",
        token=token,
        reader=managing.masked(row),
        done=DONE.get(request.args.get("done", ""), ""),
        paused=plain_day(row.paused_until) if row.paused_until and row.paused_until > today else "",
        until=request.form.get("until", ""),
        **form_values(asked or chosen, wrong),
    )


def _today(row: Subscription) -> date:
    """The day by the subscriber's clock."""
    zone = ZoneInfo(row.zone) if row.zone else monitor().config.schedule.zone
    return monitor().now().astimezone(zone).date()


@blueprint.post("")
@access(Access.PUBLIC)
def change(token: str) -> Answered | str | tuple[str, int]:
    """Keep what was changed, or only count, as the button says."""
    row = _live(token)
    if isinstance(row, Response):
        return row
    asked = wanted.typed(request.form)
    if request.form.get("then") == "count":
        return _page(row, token, asked)
    choice, wrong = wanted.choice_of(monitor().config, asked)
    if wrong:
        return _page(row, token, asked, wrong), 422
    managing.change(monitor(), row.id, choice)
    return _back(token, "changed")


@blueprint.post("/pause")
@access(Access.PUBLIC)
def pause(token: str) -> Answered | tuple[str, int]:
    """Send nothing before a day; without one, start again now."""
    row = _live(token)
    if isinstance(row, Response):
        return row
    if request.form.get("then") == "again":
        managing.pause(monitor(), row.id, None)
        return _back(token, "again")
    until, wrong = _until(request.form.get("until", ""), _today(row))
    if wrong is not None:
        return _page(row, token, wrong=[wrong]), 422
    managing.pause(monitor(), row.id, until)
    return _back(token, "paused")


def _until(text: str, today: date) -> tuple[date | None, Wrong | None]:
    try:
        until = date.fromisoformat(text.strip())
    except ValueError:
        return None, Wrong("until", "Give the day on which messages start again, like 2025-09-01.")
    if until <= today:
        return None, Wrong("until", "Choose a day that is still to come.")
    if until > today + _LONGEST_PAUSE:
        return None, Wrong("until", "Pause for a year at most; to hear nothing more, leave.")
    return until, None


@blueprint.get("/leave")
@access(Access.PUBLIC)
def leaving(token: str) -> Response | str:
    """One button: whatever opens links by itself leaves nothing."""
    row = _row(_number(token))
    if row is None or row.left_at is not None:
        return _left(token, row is not None)
    text = f"Press the button, and nothing more is sent to {managing.masked(row)}."
    return show("alerts_ask.html.j2", "Leave", "", "", text=text, button="Leave")


@blueprint.post("/leave")
@access(Access.PUBLIC)
def leave(token: str) -> Response:
    """Also the one click of a mail program (RFC 8058): no cookie, no token of a form, the same answer each time."""
    return _left(token, managing.leave(monitor(), _number(token)))


def _left(token: str, can_undo: bool = True) -> Response:
    undo = url_for("manage.back", token=token) if can_undo else ""
    return told("You have left", "Nothing more will be sent.", undo=undo)


@blueprint.post("/back")
@access(Access.PUBLIC)
def back(token: str) -> Answered:
    """Undo leaving."""
    if not managing.come_back(monitor(), _number(token)):
        return told("Sign up again", "Leaving cannot be undone any more. Ask for a new link.", 409)
    return _back(token, "back")


@blueprint.get("/export")
@access(Access.PUBLIC)
def export(token: str) -> Response:
    """Everything we hold about the reader, as a file."""
    kept = managing.held(monitor(), _number(token))
    if kept is None:
        abort(404)
    file = {"Content-Disposition": "attachment; filename=my-alerts.json"}
    return Response(dumps(kept, indent=2) + "\n", mimetype="application/json", headers=file)


@blueprint.get("/delete")
@access(Access.PUBLIC)
def deleting(token: str) -> str:
    """One button."""
    if _row(_number(token)) is None:
        abort(404)
    text = (
        "Your address, your choice and what was sent to you are removed. A fingerprint of the address stays, from "
        "which nobody can read it: so that no list brings you back unasked. This cannot be undone."
    )
    return show("alerts_ask.html.j2", "Delete my data", "", "", text=text, button="Delete")


@blueprint.post("/delete")
@access(Access.PUBLIC)
def delete(token: str) -> Response:
    """Forget the reader; once more changes nothing."""
    managing.delete(monitor(), _number(token))
    return told("Your data is deleted", "Nothing more will be sent. Only a fingerprint of your address is kept.")


def _back(token: str, done: str) -> Answered:
    return redirect(url_for("manage.page", token=token, done=done), 303)
