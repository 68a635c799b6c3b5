"""Signing up on the board: the form, how much it would have meant, and the page behind the link in our mail.

The form answers everybody alike, whatever we know of an address; only what we send to it differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from flask import Blueprint, Response, abort, current_app, make_response, redirect, request, url_for
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as Answered

from monitor.model.messaging import ChannelKind
from monitor.notify.channels import mask_address
from monitor.web import errors, wanted, words
from monitor.web.access import Access, access
from monitor.web.context import monitor
from monitor.web.public import show
from monitor.web.wanted import Typed, Wrong
from monitor.workflow import foretell
from monitor.workflow import sign_up as workflow
from monitor.workflow.announce_confirm import in_words
from monitor.workflow.attempts import Later
from monitor.workflow.foretell import Foretelling
from monitor.workflow.links import Purpose, links

blueprint = Blueprint("subscribe", __name__, url_prefix="/alerts")

#: A field that no person sees: whoever fills it in is none, and is told what everybody is told.
TRAP = "website"

#: Pages behind a signed link: kept nowhere, named to nobody.
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def offered() -> None:
    """Before every request: no such page where the board takes no sign-ups."""
    if not monitor().config.alerts_url:
        abort(404)


def private(response: Response) -> Response:
    """After every request for a page behind a signed link."""
    if (request.view_args or {}).get("token") is not None:
        response.headers.update(PRIVATE)
    else:
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


def bad_link(error: NotFound) -> Response | HTTPException:
    """A link that was cut off, was made up, or leads to nothing any more."""
    if not monitor().config.alerts_url or (request.view_args or {}).get("token") is None:
        return errors.page(error)
    return told("This link leads nowhere", "It may be cut off, or what it led to is gone. Ask for a new one.", 404)


blueprint.before_request(offered)
blueprint.after_request(private)
blueprint.register_error_handler(404, bad_link)


def told(heading: str, text: str, code: int = 200, **more: object) -> Response:
    """A page that says one thing, and what to do."""
    page = show("alerts_told.html.j2", heading, "", "", text=text, is_wrong=code >= 400, **more)
    return make_response(page, code)


def number_of(purpose: Purpose, token: str) -> int:
    """The row's number in a signed link; no such page for anything else."""
    with monitor().database.reading() as session:
        number = links(session).read(purpose, token)
    if number is None:
        abort(404)
    return number


@blueprint.get("")
@access(Access.PUBLIC)
def sign_up() -> str:
    """The form; ``?issues=…`` and ``?topics=…`` are chosen already."""
    return _form(wanted.preselected(request.args))


@blueprint.get("/preview")
@access(Access.PUBLIC)
def preview() -> Response:
    """How many messages a choice would have meant: a line for the page that asks, or the whole form."""
    asked = wanted.typed(request.args)
    is_asked_by_page = "HX-Request" in request.headers
    response = make_response(foretold(asked) if is_asked_by_page else _form(asked))
    response.vary.add("HX-Request")
    return response


def foretold(asked: Typed) -> str:
    """What a choice would have meant, in a sentence; "" when nothing can be said."""
    context = monitor()
    choice, wrong = wanted.choice_of(context.config, asked)
    told = None if wrong else _foretelling().last(context)
    if told is None:
        return ""
    number = foretell.messages(told, choice)
    return f"Last session this would have meant {words.count(number, 'message') if number else 'no message'}."


def _foretelling() -> Foretelling:
    return cast("Foretelling", current_app.extensions.setdefault("foretelling", Foretelling()))


def _form(asked: Typed, wrong: Sequence[Wrong] = ()) -> str:
    summary = "Be told by email when an issue's status changes, when a hearing is announced, or once a week."
    return show("sign_up.html.j2", "Get alerts", summary, "", **form_values(asked, wrong))


def form_values(asked: Typed, wrong: Sequence[Wrong] = ()) -> dict[str, object]:
    """What the form's template needs."""
    return {
        "asked": asked,
        "wrong": wanted.said_at(wrong),
        "wanted": wanted,
        "topics": monitor().config.topics,
        "foretold": foretold(asked),
        "trap": TRAP,
    }


@blueprint.post("")
@access(Access.PUBLIC)
def send() -> Answered | str | tuple[str, int]:
    """Send a link to the address, or only count, as the button says."""
    asked = wanted.typed(request.form)
    return _form(asked) if request.form.get("then") == "count" else _send(asked)


@blueprint.post("/short")
@access(Access.PUBLIC)
def short() -> Answered | str | tuple[str, int]:
    """The short form of the board, which is the same for all readers and holds no token: the browser says that it
    comes from here. Else the whole form asks again."""
    asked = wanted.preselected(request.form)
    return _send(asked) if errors.is_ours() else _form(asked)


def _send(asked: Typed) -> Answered | str | tuple[str, int]:
    context = monitor()
    choice, wrong = wanted.choice_of(context.config, asked)
    address, unreadable = wanted.address_of(context.config, asked, choice)
    if wrong or unreadable:
        return _form(asked, [*unreadable, *wrong]), 422
    if not request.form.get(TRAP):
        try:
            workflow.sign_up(context, address, choice, request.remote_addr or "")
        except Later as refusal:
            return _too_many(refusal)
    return redirect(url_for(".sent"), 303)


def _too_many(refusal: Later) -> Response:
    response = told("Not now", f"{refusal} Nothing was sent.", 429)
    response.headers["Retry-After"] = str(math.ceil(refusal.wait.total_seconds()))
    return response


@blueprint.get("/sent")
@access(Access.PUBLIC)
def sent() -> Response:
    """What everybody is told, whatever we know of the address."""
    return told(
        "Look for a message from us",
        "Its link works for 7 days. If none comes within the hour, look among the unwanted mail, then try again.",
    )


@blueprint.get("/confirm/<token>")
@access(Access.PUBLIC)
def confirm(token: str) -> Response | str:
    """One button: whatever opens links by itself confirms nothing."""
    context, number = monitor(), number_of(Purpose.CONFIRM, token)
    try:
        with context.database.reading() as session:
            row = workflow.waiting(session, number, context.now())
    except (workflow.Used, workflow.Old) as refusal:
        return _spent(refusal)
    address, asked = mask_address(ChannelKind.EMAIL, row.address), in_words(context.config, workflow.choice_of(row))
    text = f"We will write to {address}: {asked}."
    return show("alerts_ask.html.j2", "Confirm your sign-up", "", "", text=text, button="Confirm")


@blueprint.post("/confirm/<token>")
@access(Access.PUBLIC)
def confirmed(token: str) -> Answered:
    """Once, for one of those who press it."""
    context, number = monitor(), number_of(Purpose.CONFIRM, token)
    try:
        subscription = workflow.confirm(context, number)
    except (workflow.Used, workflow.Old) as refusal:
        return _spent(refusal)
    with context.database.reading() as session:
        own = links(session).token(Purpose.MANAGE, subscription)
    return redirect(url_for("manage.page", token=own, done="confirmed"), 303)


def _spent(refusal: Exception) -> Response:
    return told("Ask for a new link", str(refusal), 410)
