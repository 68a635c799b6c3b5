"""The Flask app: public board and desk. Closed unless declared, no outside address, no inline script or style."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import timedelta
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from flask import Flask, Response, url_for
from flask_wtf.csrf import CSRFProtect, generate_csrf
from jinja2 import StrictUndefined
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from monitor.config import Config
from monitor.store import keys
from monitor.web import errors, navigation, pages
from monitor.web.access import Access, access, closed_unless_declared, is_desk, visitor
from monitor.web.context import RowNumber
from monitor.workflow.context import Context
from monitor.workflow.links import links, without_tokens

#: The most a form may weigh.
_MAX_FORM = 1_000_000

#: Everything from our own host and nothing else. ``frame-ancestors`` is widened for the pages made to be embedded.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(context: Context) -> Flask:
    """The app over ``context``: its config, database and clock."""
    app = Flask("monitor.web", static_folder="static", static_url_path="/static")
    app.extensions["monitor"] = context
    app.config.update(_settings(context))
    app.url_map.converters["int"] = RowNumber
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.autoescape = True  # Flask's own rule knows .html, not .html.j2
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        static=_static,
        board_title=context.config.web.title,
        csrf=_csrf,
        visitor=visitor,
        navigation=navigation.links,
        desk_home="/desk",
    )
    app.logger.addFilter(_without_tokens)
    errors.register(app)
    app.before_request(closed_unless_declared)  # before the forms' tokens: who may not is told that
    CSRFProtect(app)
    app.after_request(_headers)
    app.view_functions["static"] = access(Access.PUBLIC)(app.view_functions["static"])
    pages.register(app)
    if context.config.web.proxies:
        count = context.config.web.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def _settings(context: Context) -> dict[str, object]:
    with context.database.transaction() as session:
        secret = keys.get(session, "web") or keys.put(session, "web", secrets.token_bytes(32))
        links(session)  # pages that only read need its key
    is_https = urlsplit(str(context.config.organization.board_url or "")).scheme == "https"
    return {
        "SECRET_KEY": secret,
        "SESSION_COOKIE_NAME": "form",
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": is_https,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,
        "MAX_CONTENT_LENGTH": _MAX_FORM,
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(days=365),
        "TRUSTED_HOSTS": _hosts(context.config),
    }


@cache
def _fingerprint(name: str) -> str:
    body = (resources.files("monitor.web") / "static" / name).read_bytes()
    return hashlib.sha256(body).hexdigest()[:12]


def _static(name: str) -> str:
    """The address of a file of ours, which changes with its content: browsers may keep it for a year."""
    return url_for("static", filename=name, v=_fingerprint(name))


def _hosts(config: Config) -> list[str]:
    """The names we answer to: a made-up Host must not find its way into a page or a link."""
    board = urlsplit(str(config.organization.board_url or "")).hostname
    return [name for name in ("127.0.0.1", "localhost", "[::1]", board, *config.web.hosts) if name]


def _csrf() -> Markup:
    """The hidden field that every form has."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _without_tokens(record: logging.LogRecord) -> bool:
    """Flask names the path of a page that broke; a reader's own link is a key."""
    record.msg = without_tokens(str(record.msg))
    return True


def _headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if is_desk():
        # Asked anew each time, yet the back button finds what was typed: no-store would empty the forms.
        response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
