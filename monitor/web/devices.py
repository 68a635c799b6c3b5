"""Browsers that were signed in before: a signed cookie, so that guesses from elsewhere cannot shut them out."""

from __future__ import annotations

import secrets
from datetime import timedelta

from flask import Response, current_app, request
from itsdangerous import BadData, URLSafeSerializer

from monitor.web.context import cookie_flags
from monitor.workflow.accounts import fold

COOKIE = "device"
_PATH = "/desk/sign-in"
_LASTS = timedelta(days=365)

#: One browser of a shared desk; the names used last are kept.
_MOST = 5


def number(name: str) -> str | None:
    """This browser's number, if it was signed in by this name before."""
    return _known().get(fold(name))


def remember(response: Response, name: str) -> None:
    """This browser was signed in by this name."""
    known = _known()
    mine = known.pop(fold(name), None) or secrets.token_hex(8)
    newest = [*known.items(), (fold(name), mine)][-_MOST:]
    text = _serializer().dumps(newest)
    response.set_cookie(COOKIE, str(text), path=_PATH, max_age=_LASTS, **cookie_flags())


def _known() -> dict[str, str]:
    try:
        return dict(_serializer().loads(request.cookies.get(COOKIE, "")))
    except BadData:
        return {}


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="device")
