"""What answers a request: config, database and clock. Apart from the app, which knows every page."""

from __future__ import annotations

from typing import TypedDict, cast

from flask import current_app, request
from werkzeug.routing import IntegerConverter, Map

from monitor.workflow.context import Context

#: The greatest number a row can have on both databases.
_GREATEST = 2**31 - 1


class RowNumber(IntegerConverter):
    """``<int:…>`` in an address: what no row can have is no such page, not a broken one."""

    def __init__(self, url_map: Map, max: int = _GREATEST) -> None:  # noqa: A002 - Werkzeug's name
        super().__init__(url_map, max=max)


def row_number(text: str) -> int:
    """A row's number out of a query string: ``request.args.get("before", type=row_number)``. Raises ValueError."""
    number = int(text)
    if not 0 <= number <= _GREATEST:
        raise ValueError(f"no row has the number {number}")
    return number


def monitor() -> Context:
    """The context of the app that answers this request."""
    return cast("Context", current_app.extensions["monitor"])


class CookieFlags(TypedDict):
    """How a cookie of ours is kept: unreadable for scripts, not sent along from other sites."""

    httponly: bool
    samesite: str
    secure: bool


def cookie_flags() -> CookieFlags:
    """Secure wherever the board has an address with TLS, or this request came with it."""
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"]) or request.is_secure
    return {"httponly": True, "samesite": "Lax", "secure": secure}
