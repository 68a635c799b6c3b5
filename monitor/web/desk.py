"""The maintainers' desk: the queue, a proposal's page, the saved pages behind it."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from monitor.store import snapshots
from monitor.store.queue import Place, Waiting
from monitor.web import correction, pagediff
from monitor.web.access import Access, Visitor, access, visitor
from monitor.web.archive import POLICY, saved
from monitor.web.context import monitor
from monitor.web.decide import ACTS, FieldError, is_done, read_form, refused
from monitor.web.preview import TABS, Preview, email_html, read_preview
from monitor.web.proposal_view import Draft, Problem, ProposalView, read_proposal
from monitor.web.queue_view import read_queue
from monitor.workflow.review import Refusal

blueprint = Blueprint("desk", __name__, url_prefix="/desk")

#: An email brings its own styles, and nothing else.
_EMAIL = f"{POLICY}; style-src 'unsafe-inline'"


@blueprint.get("/", strict_slashes=False)
@access(Access.VIEWER)
def queue() -> str:
    """What waits."""
    wanted = request.args.get("kind", "")
    kind = Waiting(wanted) if wanted in set(Waiting) else None
    after = Place.of(request.args.get("after", ""))
    with monitor().database.reading() as session:
        found = read_queue(session, monitor(), kind, after)
    return render_template("queue.html.j2", queue=found)


@blueprint.get("/proposals/<int:proposal_id>")
@access(Access.VIEWER)
def proposal(proposal_id: int) -> str:
    """One proposal with its proof."""
    return _page(_read(proposal_id))


@blueprint.post("/proposals/<int:proposal_id>")
@access(Access.MAINTAINER)
def decide(proposal_id: int) -> Answer:
    """Take a decision, or say why not with everything that was typed."""
    view, form, by = _read(proposal_id), read_form(request.form), _who().name
    act = ACTS.get(form.do)
    if act is None:
        return make_response(_page(view.typed(form.draft)))
    try:
        act(monitor(), view, by, form)
    except FieldError as error:
        return make_response(_page(view.typed(form.draft), error.problem), 422)
    except Refusal as refusal:
        view = _read(proposal_id)
        if not is_done(view, by, form):
            return make_response(_page(view.typed(form.draft), refused(view, form, refusal)), 409)
    return redirect(url_for("desk.proposal", proposal_id=proposal_id, _anchor="outcome"), 303)


@blueprint.post("/proposals/<int:proposal_id>/preview/<tab>")
@access(Access.MAINTAINER)
def preview(proposal_id: int, tab: str) -> str:
    """What the typed text would look like: the part of the page that is swapped while typing."""
    if tab not in TABS:
        abort(404)
    made = _preview(proposal_id, read_form(request.form).draft, tab)
    return render_template("preview.html.j2", preview=made if made is not None else abort(404))


@blueprint.post("/proposals/<int:proposal_id>/email")
@access(Access.MAINTAINER)
def email(proposal_id: int) -> Response:
    """The email as its reader gets it, styles and all, and nothing in it can run."""
    with monitor().database.reading() as session:
        html = email_html(session, monitor(), proposal_id, read_form(request.form).draft)
    if not html:
        abort(404)
    return Response(html, headers={"Content-Security-Policy": _EMAIL})


@blueprint.get("/proposals/<int:proposal_id>/changes")
@access(Access.VIEWER)
def changes(proposal_id: int) -> str:
    """The whole page, only what differs."""
    view = _read(proposal_id)
    with monitor().database.reading() as session:
        found = pagediff.read_changes(session, view.evidence.pages)
    return render_template("page_changes.html.j2", view=view, changes=found)


@blueprint.get("/archive/<sha256>")
@access(Access.VIEWER)
def archive(sha256: str) -> Response:
    """Any saved page as inert text; the public sees only those that a published move rests on."""
    with monitor().database.reading() as session:
        snapshot = snapshots.find(session, sha256)
        if snapshot is None:
            abort(404)
        response = saved(session, snapshot)
    response.cache_control.public = False
    response.cache_control.private = True
    return response


@blueprint.get("/moves/<int:move_id>/correct")
@access(Access.MAINTAINER)
def correct(move_id: int) -> Answer:
    """The form of a correction; of a move that was corrected, the form of its newest correction."""
    wrong = _correctable(move_id)
    if wrong.is_corrected:
        return redirect(url_for("desk.correct", move_id=wrong.newest))
    return make_response(_correction(wrong))


@blueprint.post("/moves/<int:move_id>/correct")
@access(Access.MAINTAINER)
def publish_correction(move_id: int) -> Answer:
    """Publish what is right."""
    wrong, form, by = _correctable(move_id), read_form(request.form), _who().name
    try:
        correction.publish(monitor(), wrong, by, form)
    except FieldError as error:
        return make_response(_correction(wrong, form.draft, error.problem), 422)
    except Refusal as refusal:
        wrong = _correctable(move_id)
        if not correction.is_done(wrong, by, form.draft):
            return make_response(_correction(wrong, form.draft, correction.refused(wrong, refusal)), 409)
    return redirect(url_for("desk.proposal", proposal_id=wrong.proposal, _anchor="outcome"), 303)


def _who() -> Visitor:
    who = visitor()
    if who is None:
        abort(401)
    return who


def _read(proposal_id: int) -> ProposalView:
    with monitor().database.reading() as session:
        view = read_proposal(session, monitor(), proposal_id)
    if view is None:
        abort(404)
    return view


def _page(view: ProposalView, problem: Problem | None = None) -> str:
    wanted = request.args.get("preview", "")
    tab = wanted if wanted in TABS else "board"
    shown = _preview(view.id, view.draft, tab) if view.is_pending else None
    return render_template("proposal.html.j2", view=view, preview=shown, tabs=TABS, problem=problem)


def _preview(proposal_id: int, draft: Draft, tab: str) -> Preview | None:
    with monitor().database.reading() as session:
        return read_preview(session, monitor(), proposal_id, draft, tab)


def _correctable(move_id: int) -> correction.Wrong:
    with monitor().database.reading() as session:
        wrong = correction.read_wrong(session, move_id)
    if wrong is None:
        abort(404)
    return wrong


def _correction(wrong: correction.Wrong, draft: Draft | None = None, problem: Problem | None = None) -> str:
    return render_template("correction.html.j2", wrong=wrong, draft=draft or wrong.draft, problem=problem)
