"""The desk's page of sources: how each fares, and a button to read one now."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from monitor.store import hosts, sources
from monitor.store.schema import Source
from monitor.web import sources_view as view
from monitor.web.access import Access, access
from monitor.web.context import monitor
from monitor.web.tools import me
from monitor.workflow.context import Context
from monitor.workflow.read_now import is_running, read_now
from monitor.workflow.review import Refusal

blueprint = Blueprint("sources", __name__, url_prefix="/desk/sources")

#: How many well sources stand on one page; the failing ones stand on the first, all of them up to a point.
_PAGE, _FAILING = 100, 200


@dataclass(frozen=True, slots=True)
class Listing:
    """The page. ``after`` is where the next one begins; empty on the last."""

    every: int
    bad: int
    hosts: list[view.HostLine]
    failing: list[view.SourceLine]
    well: list[view.SourceLine]
    after: str


@blueprint.get("")
@access(Access.VIEWER)
def listing() -> str:
    """Every source, failing first."""
    context, after = monitor(), request.args.get("after", "")
    asked = _asked(context, request.args.get("asked", ""))
    return render_template(
        "sources.html.j2", page=_listing(context, after), asked=asked, first=not after, running=is_running(context)
    )


@blueprint.post("/<int:source_id>/read")
@access(Access.MAINTAINER)
def read(source_id: int) -> Response | tuple[str, int]:
    """Make it due now."""
    try:
        source = read_now(monitor(), source_id, me())
    except Refusal as refusal:
        return render_template("told.html.j2", title="Not read", text=str(refusal), back=url_for(".listing")), 409
    return redirect(url_for(".listing", asked=source.id), 303)


def _listing(context: Context, after: str) -> Listing:
    now = context.now()
    with context.database.reading() as session:
        every, bad = sources.counts(session)
        rows = sources.well(session, after, _PAGE + 1)
        return Listing(
            every,
            bad,
            view.hosts(hosts.load(session), now),
            [view.line(one, now) for one in sources.failing(session, _FAILING)] if not after else [],
            [view.line(one, now) for one in rows[:_PAGE]],
            rows[_PAGE - 1].slug if len(rows) > _PAGE else "",
        )


def _asked(context: Context, number: str) -> view.SourceLine | None:
    """The source that was just asked for, for the banner."""
    if not (number.isascii() and number.isdigit()) or len(number) > 9:
        return None
    with context.database.reading() as session:
        source = session.get(Source, int(number))
        return view.line(source, context.now()) if source is not None else None
