"""Signing in at the desk, and out."""

from __future__ import annotations

import math
import re

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for

from monitor.web import devices
from monitor.web.access import COOKIE, Access, access
from monitor.web.context import cookie_flags, monitor
from monitor.workflow import accounts
from monitor.workflow.attempts import Caller, Later, TooMany
from monitor.workflow.review import Refusal

blueprint = Blueprint("signin", __name__, url_prefix="/desk")

#: Where a sign-in may lead: plain paths of the desk. No host, no second slash, no dots that climb.
_OWN = re.compile(r"/desk(?:/[\w.~-]*[\w~-])*/?(?:\?[\w.~%&=+:,-]*)?", re.ASCII)

HOME = "/desk"


def own_path(wanted: str | None) -> str:
    """``wanted`` if it is a path of the desk, else the desk's first page: no open redirect."""
    return wanted if wanted and _OWN.fullmatch(wanted) else HOME


@blueprint.get("/sign-in")
@access(Access.PUBLIC)
def form() -> str:
    """The form; who is signed in already can become somebody else."""
    return _page(request.args.get("next"))


@blueprint.post("/sign-in")
@access(Access.PUBLIC)
def sign_in() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Check name and password; begin a sign-in with a token of its own, whatever the browser brought."""
    name, password, wanted = (request.form.get(key, "") for key in ("name", "password", "next"))
    caller = Caller(request.remote_addr or "", devices.number(name))
    try:
        done = accounts.sign_in(monitor(), name, password, caller, former=request.cookies.get(COOKIE))
    except Later as refusal:
        wait = {"Retry-After": str(math.ceil(refusal.wait.total_seconds()))}
        return _page(wanted, name, str(refusal)), 429 if isinstance(refusal, TooMany) else 503, wait
    except Refusal as refusal:
        return _page(wanted, name, str(refusal)), 422
    session.clear()  # the form tokens of before belong to nobody in particular
    response = make_response(redirect(own_path(wanted), 303))
    response.set_cookie(COOKIE, done.token, path=HOME, max_age=accounts.LASTS, **cookie_flags())
    devices.remember(response, done.name)
    return response


@blueprint.post("/sign-out")
@access(Access.PUBLIC)
def sign_out() -> Response:
    """End this browser's sign-in."""
    accounts.sign_out(monitor(), request.cookies.get(COOKIE, ""))
    session.clear()
    response = make_response(redirect(url_for("signin.form"), 303))
    response.delete_cookie(COOKIE, path=HOME, **cookie_flags())
    return response


def _page(wanted: str | None, name: str = "", problem: str = "") -> str:
    return render_template("sign_in.html.j2", next=own_path(wanted), name=name, problem=problem)
