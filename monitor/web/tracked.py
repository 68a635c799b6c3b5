"""What is tracked, at the desk: shown as config.yaml has it, edited as a change of its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answered

from monitor.config.board import Watch
from monitor.config.edit import EditError, File
from monitor.config.schema import Config
from monitor.model.tracking import Direction, Effect, SourceKind, Status
from monitor.store.schema import Issue
from monitor.web import tracked_forms as forms
from monitor.web.access import Access, access
from monitor.web.context import monitor
from monitor.web.sources_view import KINDS, end_of, web_address
from monitor.web.tools import me
from monitor.workflow import tracked
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal

blueprint = Blueprint("tracked", __name__, url_prefix="/desk/board")


@dataclass(frozen=True, slots=True)
class WatchLine:
    """One watch as config.yaml has it."""

    id: str
    kind: str
    name: str
    url: str
    is_bill: bool
    against: bool
    effect: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssueLine:
    """One issue with its watches. ``status`` is None until it is tracked."""

    id: str
    name: str
    status: Status | None
    watches: tuple[WatchLine, ...]


@dataclass(frozen=True, slots=True)
class TopicLine:
    id: str
    name: str
    issues: tuple[IssueLine, ...]


@blueprint.get("")
@access(Access.VIEWER)
def listing() -> str | tuple[str, int]:
    """Every topic, issue and watch."""
    context = monitor()
    try:
        file = tracked.file_of(context)
    except Refusal as refusal:
        return _told(str(refusal)), 409
    topics = list(_topics(context, file.config))
    return render_template("tracked.html.j2", topics=topics, path=file.path, done="done" in request.args)


@blueprint.get("/<what>")
@access(Access.MAINTAINER)
def form(what: str) -> str | tuple[str, int]:
    """The form of one edit."""
    edit = _known(what)
    about = request.args.get(edit.about, "")
    try:
        file = tracked.file_of(monitor())
    except Refusal as refusal:
        return _told(str(refusal)), 409
    return _form(what, {**forms.before(what, file, about), edit.about: about})


@blueprint.post("/<what>")
@access(Access.MAINTAINER)
def change(what: str) -> Answered | str | tuple[str, int]:
    """Show the change; then give the new text, or write it. A mistake leads back to the form with what was typed."""
    edit, context, then = _known(what), monitor(), request.form.get("then", "look")
    values = {name: request.form.get(name, "") for name in edit.fields}
    try:
        file = tracked.file_of(context)
        text = edit.apply(file, values)
    except EditError as error:
        return _form(what, values, error), 422
    except Refusal as refusal:
        return _told(str(refusal)), 409
    if then == "export":
        return Response(text, mimetype="text/yaml", headers={"Content-Disposition": "attachment; filename=config.yaml"})
    if then == "form":
        return _form(what, values)
    return _write(context, what, values, file, text) if then == "write" else _review(what, values, file, text)


def _write(context: Context, what: str, values: forms.Values, file: File, text: str) -> Answered | tuple[str, int]:
    edit = forms.EDITS[what]
    lines = [one for one in forms.difference(file.text, text) if one.kind in ("added", "removed")]
    detail = {"edit": what, "lines": [f"{'+' if one.kind == 'added' else '-'} {one.text.strip()}" for one in lines]}
    about = f"{edit.about} {values[edit.about]}"
    try:
        fresh = tracked.write(context, file, text, request.form.get("seen", ""), me(), about, detail)
    except tracked.Changed as refusal:
        return _review(what, values, file, text, str(refusal)), 409
    except (Refusal, OSError) as refusal:
        return _review(what, values, file, text, f"It could not be written: {refusal}"), 409
    current_app.extensions["monitor"] = fresh
    return redirect(url_for(".listing", done=1), 303)


def _known(what: str) -> forms.Edit:
    if what not in forms.EDITS:
        abort(404)
    return forms.EDITS[what]


def _form(what: str, values: forms.Values, error: EditError | None = None) -> str:
    edit = forms.EDITS[what]
    filled, general = forms.answers(edit, values, error)
    return render_template(
        "tracked_form.html.j2", what=what, edit=edit, about=values[edit.about], answers=filled, general=general
    )


def _review(what: str, values: forms.Values, file: File, text: str, problem: str = "") -> str:
    return render_template(
        "tracked_change.html.j2",
        what=what,
        edit=forms.EDITS[what],
        values=values,
        lines=forms.difference(file.text, text),
        text=text,
        seen=tracked.mark(file.text),
        path=file.path,
        writable=tracked.is_writable(file.path),
        problem=problem,
    )


def _told(text: str) -> str:
    return render_template("told.html.j2", title="Issues and watches", text=text, back=url_for(".listing"))


def _topics(context: Context, config: Config) -> Iterator[TopicLine]:
    with context.database.reading() as session:
        statuses = {issue.id: Status(issue.status) for issue in session.query(Issue)}
    watches: dict[str, list[WatchLine]] = {}
    for watch in config.watches():
        watches.setdefault(watch.issue, []).append(_watch(watch))
    for topic in config.topics:
        issues = (
            IssueLine(one.id, one.name, statuses.get(one.id), tuple(watches.get(one.id, ()))) for one in topic.issues
        )
        yield TopicLine(topic.id, topic.name, tuple(issues))


def _watch(watch: Watch) -> WatchLine:
    is_bill = watch.bill is not None
    host = urlsplit(watch.url).hostname
    name = f"{watch.bill.label} ({watch.bill.session})" if watch.bill is not None else f"{host}: {end_of(watch.url)}"
    against = watch.direction is Direction.REVERSES
    return WatchLine(
        watch.id,
        "Bill" if is_bill else KINDS[SourceKind(watch.kind)],
        name,
        web_address(watch.url),
        is_bill,
        against,
        Status(watch.effect).label if watch.effect is not Effect.NONE else "",
        watch.terms,
    )
