"""The desk's search."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from monitor.interpret.sentences import plain_day
from monitor.web.access import Access, access
from monitor.web.context import monitor
from monitor.workflow.search import LONGEST, search

blueprint = Blueprint("search", __name__, url_prefix="/desk/search")


@blueprint.get("")
@access(Access.VIEWER)
def page() -> str:
    """Issues, bills and actions that have all of ``?q=``."""
    typed = request.args.get("q", "")[:LONGEST]
    found = search(monitor(), typed)
    return render_template("search.html.j2", typed=typed, found=found, plain_day=plain_day)
