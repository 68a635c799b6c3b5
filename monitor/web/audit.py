"""The audit log at the desk: who did what, the newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, render_template, request

from monitor.interpret.sentences import plain_day
from monitor.store import audit
from monitor.store.schema_desk import Deed
from monitor.web.access import Access, access
from monitor.web.context import monitor, row_number
from monitor.workflow.context import EASTERN

blueprint = Blueprint("audit", __name__, url_prefix="/desk/audit")

#: Lines on one page.
PAGE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log as it is shown; ``details`` are names and values."""

    number: int
    at: str
    who: str
    what: str
    about: str
    details: tuple[tuple[str, str], ...]
    seal: str


@blueprint.get("")
@access(Access.VIEWER)
def listing() -> str:
    """A page of the log; ``?before=120`` goes on with what is older than line 120."""
    before = request.args.get("before", type=row_number)
    with monitor().database.reading() as session:
        rows = audit.page(session, PAGE + 1, before)
        newest = audit.newest(session)
    return render_template(
        "audit.html.j2",
        lines=[line(row) for row in rows[:PAGE]],
        older=rows[PAGE - 1].id if len(rows) > PAGE else None,
        is_newest=before is None,
        newest=newest.digest if newest is not None else "",
    )


def line(row: Deed) -> Line:
    """What the page shows of a row."""
    details = tuple((name.replace("_", " "), _text(value)) for name, value in row.detail.items())
    at = row.at.astimezone(EASTERN)
    clock = f"{at:%-I:%M:%S} {'a.m.' if at.hour < 12 else 'p.m.'}"
    return Line(row.id, f"{plain_day(at.date())}, {clock}", row.who, row.what, row.about, details, row.digest[:12])


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
