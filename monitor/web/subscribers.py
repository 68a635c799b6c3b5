"""Subscribers at the desk: how many, who, and what a maintainer does about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answered

from monitor.model.messaging import ChannelKind, Choice, OutcomeKind
from monitor.store import sign_ups, subscriptions
from monitor.store.schema import Subscription
from monitor.store.subscriptions import STATES, Wanted
from monitor.web import subscribers_view as view
from monitor.web import wanted
from monitor.web.access import Access, access
from monitor.web.context import monitor, row_number
from monitor.web.tools import me
from monitor.web.wanted import Typed, Wrong
from monitor.workflow import by_hand, managing, sealing, trial
from monitor.workflow.exporting import export_csv
from monitor.workflow.review import Refusal
from monitor.workflow.subscribe import Unsuitable, wish

blueprint = Blueprint("subscribers", __name__, url_prefix="/desk/subscribers")

#: Subscribers on one page, and of those who are not written to.
_PAGE = 50
#: Nothing typed here is longer; a webhook has some eighty characters.
_LONGEST = 2_000


@blueprint.get("")
@access(Access.VIEWER)
def listing() -> str | tuple[str, int]:
    """A page of subscribers, or the one whose address is asked for."""
    context, asked = monitor(), request.args.get("address", "").strip()[:_LONGEST]
    state = request.args.get("state", "")
    after = request.args.get("after", 0, type=row_number)
    found, missing = ([], "") if not asked else _asked(asked)
    chosen = Wanted((state,) if state in STATES else STATES)
    today = context.today()
    with context.database.reading() as session:
        counts = subscriptions.tally(session, today) | {"unconfirmed": sign_ups.waiting(session)}
        rows = subscriptions.page(session, chosen, today, limit=_PAGE + 1, after=after) if not asked else found
    return render_template(
        "subscribers.html.j2",
        counts=counts,
        lines=[view.line(row, today) for row in rows[:_PAGE]],
        more=rows[_PAGE - 1].id if len(rows) > _PAGE else None,
        first=not after,
        asked=bool(asked),
        missing=missing,
        state=state if state in STATES else "",
        done=view.DONE.get(request.args.get("done", ""), ""),
    )


def _asked(address: str) -> tuple[list[Subscription], str]:
    try:
        return [by_hand.find(monitor(), address)], ""
    except Refusal:
        return [], "Nobody is subscribed by this address."


@blueprint.get("/add")
@access(Access.MAINTAINER)
def adding() -> str:
    """The form for a webhook."""
    return _add_form(Typed(), [])


@blueprint.post("/add")
@access(Access.MAINTAINER)
def add() -> Answered | tuple[str, int]:
    """Send a test message, and save the webhook once its service took it."""
    context, asked = monitor(), wanted.typed(request.form)
    choice, wrong = wanted.choice_of(context.config, asked)
    name = " ".join(request.form.get("name", "").split())[:200]
    try:
        kind = request.form.get("channel", "")
        if kind not in (ChannelKind.SLACK, ChannelKind.APPRISE):
            raise Unsuitable("choose Slack or another service", "channel")
        wished = wish(context.config, request.form.get("webhook", "").strip()[:_LONGEST], kind, choice)
        if wrong:
            return _add_form(asked, wrong), 422
        sealing.needed(context.environ)
        outcome = trial.try_out(context, wished.channel, wished.address)
        if outcome.kind is not OutcomeKind.SENT:
            raise Unsuitable(trial.words(wished.channel, outcome), "webhook")
        number, _ = by_hand.add(context, wished, me(), consent=f"{name}, added by {me()}" if name else "")
    except Unsuitable as error:
        field = "channel" if error.field == "channel" else "webhook"
        return _add_form(asked, [*wrong, Wrong(field, view.sentence(str(error)))]), 422
    except Refusal as refusal:
        return _add_form(asked, [Wrong("webhook", view.sentence(str(refusal)))]), 409
    return redirect(url_for(".one", number=number, done="added"), 303)


def _add_form(asked: Typed, wrong: Sequence[Wrong]) -> str:
    """A webhook is never shown again, so it is typed anew after a mistake."""
    return render_template(
        "subscriber_add.html.j2",
        name=request.form.get("name", ""),
        channel=request.form.get("channel", "slack"),
        **_form(asked, wrong),
    )


def _form(asked: Typed, wrong: Sequence[Wrong]) -> dict[str, object]:
    topics = monitor().config.topics
    return {"asked": asked, "wrong": wanted.said_at(wrong), "wanted": wanted, "topics": topics}


@blueprint.get("/<int:number>")
@access(Access.VIEWER)
def one(number: int) -> str:
    """One subscriber: the choice, how it stands, and the last messages."""
    return _one(_row(number))


def _row(number: int) -> Subscription:
    row = by_hand.get(monitor(), number)
    return row if row is not None else abort(404)


def _one(row: Subscription, asked: Typed | None = None, wrong: Sequence[Wrong] = ()) -> str:
    context = monitor()
    return render_template(
        "subscriber.html.j2",
        one=view.line(row, context.today()),
        told=[view.told(delivery) for delivery in by_hand.last_told(context, row)],
        consent=view.consent(row),
        until=request.form.get("until", ""),
        done=view.DONE.get(request.args.get("done", ""), ""),
        **_form(asked or wanted.of_choice(subscriptions.choice_of(row)), wrong),
    )


@blueprint.post("/<int:number>/change")
@access(Access.MAINTAINER)
def change(number: int) -> Answered | tuple[str, int]:
    """Let it ask for something else."""
    row, asked = _row(number), wanted.typed(request.form)
    choice, wrong = wanted.choice_of(monitor().config, asked)
    if wrong:
        return _one(row, asked, wrong), 422
    managing.change(monitor(), row.id, choice, by=me())
    return _back(row, "changed")


@blueprint.post("/<int:number>/pause")
@access(Access.MAINTAINER)
def pause(number: int) -> Answered | tuple[str, int]:
    """Send nothing before a day; without one, start again now."""
    row, today = _row(number), monitor().today()
    if request.form.get("then") == "again":
        managing.pause(monitor(), row.id, None, by=me())
        return _back(row, "again")
    until = request.form.get("until", type=date.fromisoformat)
    if until is None or not today < until <= today + timedelta(days=366):
        return _one(row, wrong=[Wrong("until", "Choose a day within the next year.")]), 422
    managing.pause(monitor(), row.id, until, by=me())
    return _back(row, "paused")


@blueprint.post("/<int:number>/test")
@access(Access.MAINTAINER)
def test_message(number: int) -> Answered | tuple[str, int]:
    """Send a test message; a webhook that was disabled is told again once its service took it."""
    row = _row(number)
    try:
        outcome = by_hand.send_test(monitor(), row, me())
    except (Refusal, Unsuitable) as refusal:
        return _one(row, wrong=[Wrong("test", view.sentence(str(refusal)))]), 409
    if outcome.kind is not OutcomeKind.SENT:
        words = view.sentence(trial.words(ChannelKind(row.channel), outcome))
        return _one(_row(number), wrong=[Wrong("test", words)]), 409
    return _back(row, "tested")


@blueprint.post("/<int:number>/remove")
@access(Access.MAINTAINER)
def remove(number: int) -> Answered:
    """Tell it nothing more."""
    row = _row(number)
    managing.leave(monitor(), row.id, by=me())
    return _back(row, "removed")


@blueprint.post("/<int:number>/delete")
@access(Access.MAINTAINER)
def delete(number: int) -> Answered:
    """Forget who it was."""
    managing.delete(monitor(), _row(number).id, by=me())
    return redirect(url_for(".listing", done="deleted"), 303)


def _back(row: Subscription, done: str) -> Answered:
    return redirect(url_for(".one", number=row.id, done=done), 303)


@blueprint.post("/export")
@access(Access.MAINTAINER)
def export() -> Response:
    """Everybody who is told something, as a file."""
    headers = {"Content-Disposition": "attachment; filename=subscribers.csv", "Cache-Control": "no-store"}
    return Response(export_csv(monitor(), me()), mimetype="text/csv", headers=headers)


@blueprint.get("/suppressed")
@access(Access.VIEWER)
def suppressed() -> str:
    """Addresses that nobody writes to, masked."""
    return _suppressed("", view.WHYS[0][0])


def _suppressed(email: str, why: str, wrong: Sequence[Wrong] = ()) -> str:
    """The list, and the form with what was typed."""
    before = view.mark_of(request.args.get("before", ""))
    rows = by_hand.suppressed(monitor(), _PAGE + 1, before)
    return render_template(
        "suppressed.html.j2",
        lines=[view.barred(row) for row in rows[:_PAGE]],
        more=view.mark(rows[_PAGE - 1]) if len(rows) > _PAGE else None,
        first=before is None,
        wrong=wanted.said_at(wrong),
        email=email,
        why=why,
        whys=view.WHYS,
        done=view.DONE.get(request.args.get("done", ""), ""),
    )


@blueprint.post("/suppressed")
@access(Access.MAINTAINER)
def bar() -> Answered | tuple[str, int]:
    """Put an address on the list, or take one off it."""
    email, then = request.form.get("email", "").strip()[:_LONGEST], request.form.get("then")
    why = request.form.get("why", view.WHYS[0][0])
    address, wrong = wanted.address_of(monitor().config, replace(Typed(), email=email), Choice())
    if then != "lift" and why not in by_hand.WHYS:
        wrong = [*wrong, Wrong("why", "Choose one of these reasons.")]
    if wrong:
        return _suppressed(email, why, wrong), 422
    if then != "lift":
        by_hand.suppress(monitor(), ChannelKind.EMAIL, address, why, "", me())
    elif not by_hand.lift(monitor(), ChannelKind.EMAIL, address, me()):
        return _suppressed(email, why, [Wrong("email", "This address is not on the list.")]), 422
    return redirect(url_for(".suppressed", done="lifted" if then == "lift" else "suppressed"), 303)
