"""Who may see a page, and who is looking. A view that does not say is closed to everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from monitor.web.context import monitor
from monitor.workflow import accounts

View = TypeVar("View", bound=Callable[..., Any])

#: The cookie with the token of a sign-in. Only pages below /desk are sent it.
COOKIE = "desk"

_READS = ("GET", "HEAD", "OPTIONS")


class Access(StrEnum):
    """Each step may do what the ones before it may."""

    PUBLIC = "public"
    VIEWER = "viewer"
    MAINTAINER = "maintainer"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in."""

    name: str
    role: str

    @property
    def decides(self) -> bool:
        """Whether they may change anything."""
        return self.role == Access.MAINTAINER


def access(needed: Access) -> Callable[[View], View]:
    """Declare who may call a view: ``@access(Access.PUBLIC)`` under its route."""

    def declare(view: View) -> View:
        view.access = needed  # type: ignore[attr-defined]
        return view

    return declare


def declared(view: Callable[..., Any]) -> Access | None:
    """What a view declared; None means that nobody may call it."""
    return getattr(view, "access", None)


def visitor() -> Visitor | None:
    """Who is signed in on this request; None when nobody is."""
    if "visitor" not in g:
        g.visitor = _visitor()
    found: Visitor | None = g.visitor
    return found


def _visitor() -> Visitor | None:
    token = request.cookies.get(COOKIE)
    row = accounts.signed_in(monitor(), token) if token else None
    return Visitor(row.name, row.role) if row is not None else None


def closed_unless_declared() -> Response | None:
    """Before every request: let through who may, send who is signed out to the sign-in, and refuse the rest."""
    if request.endpoint is None:
        return None  # no such address: Flask says so
    needed = declared(current_app.view_functions[request.endpoint])
    if needed is Access.PUBLIC:
        return None
    if needed is None:
        abort(403)
    who = visitor()
    if who is None:
        return _to_sign_in()
    if needed is Access.MAINTAINER and not who.decides:
        abort(403)
    if request.method not in _READS:
        accounts.seen(monitor(), request.cookies[COOKIE])
    return None


def is_desk() -> bool:
    """Whether this request is for a page of the desk."""
    return request.path == "/desk" or request.path.startswith("/desk/")


def _to_sign_in() -> Response:
    if request.method not in _READS:
        abort(401)
    path = request.full_path if request.query_string else request.path
    return redirect(url_for("signin.form", next=path), 303)
