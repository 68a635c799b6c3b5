"""Pages that say what went wrong. Text that was typed is never lost: it comes back in a form to send again."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, make_response, render_template, request
from flask.globals import request_ctx
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from monitor.web.access import is_desk, visitor
from monitor.web.context import monitor

#: So short a value was chosen, not written: it is carried on without a field of its own.
_CHOSEN = 30


@dataclass(frozen=True, slots=True)
class Words:
    """What a page says: ``title``, and what to do."""

    title: str
    text: str


_OLD_FORM = Words(
    "Your form was open too long",
    "Nothing was changed. What you sent is kept below: look at it and send it again.",
)
_FOREIGN = Words(
    "This form did not come from this site",
    "Nothing was changed. Open the page here and send its own form.",
)
_SIGNED_OUT = Words(
    "You are signed out",
    "Nothing was changed. What you sent is kept below: sign in in another tab, then send it again from here.",
)
_VIEWER = Words(
    "You may look, not decide",
    "Nothing was changed. You are signed in as a viewer; a maintainer can do this.",
)
_BY_CODE = {
    401: Words("You are signed out", "Nothing was changed. Sign in and try again."),
    403: Words("This is closed", "Nobody may do this here. Nothing was changed."),
    404: Words("There is no such page", "The address may be mistyped, or what it showed is gone."),
    405: Words("This cannot be done here", "Nothing was changed. Go back and use the page's own buttons."),
    410: Words("This is gone", "What this page showed is no longer kept."),
    413: Words("That was too much at once", "Nothing was changed. Send a shorter text."),
    500: Words("Something broke on our side", "It is in the service's log. Nothing half-done is kept; try again."),
}
_OTHER = Words("This did not work", "Nothing was changed. Go back and try again.")


@dataclass(frozen=True, slots=True)
class Field:
    """What was sent, as it is shown and sent again."""

    name: str
    value: str

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").replace("-", " ").capitalize()

    @property
    def is_secret(self) -> bool:
        return is_secret(self.name)

    @property
    def is_chosen(self) -> bool:
        return len(self.value) <= _CHOSEN and "\n" not in self.value and " " not in self.value.strip()


def register(app: Flask) -> None:
    """Show every error as a page."""
    app.register_error_handler(HTTPException, page)
    app.before_request(_refuse_nul)


def _refuse_nul() -> None:
    """No text has a NUL in it, and PostgreSQL keeps none."""
    sent = (request.path, *request.args.values(), *request.form.values())
    if any("\0" in text for text in sent):
        abort(400)


def page(error: HTTPException) -> Response | HTTPException:
    """The page of an error; a redirect stays what it is."""
    code = error.code or 500
    if code < 400:
        return error  # a redirect
    if request_ctx.url_adapter is None:
        return _plain(f"We do not answer to the name in this address. ({code})", code)
    if code >= 500:
        g.visitor = None  # the database may be what broke
    words = _words(error, code)
    kept = _kept() if words in (_OLD_FORM, _SIGNED_OUT) else []
    return make_response(
        render_template(
            "error.html.j2",
            layout="desk.html.j2" if is_desk() else "base.html.j2",
            words=words,
            kept=kept,
            action=request.full_path.rstrip("?"),
            is_desk=is_desk(),
            organization=monitor().config.organization.name,
        ),
        code,
        {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")},
    )


def _words(error: HTTPException, code: int) -> Words:
    if isinstance(error, CSRFError):
        return _OLD_FORM if is_ours() else _FOREIGN
    if code == 401 and request.form and is_ours():
        return _SIGNED_OUT
    who = visitor()
    if code == 403 and who is not None and not who.decides:
        return _VIEWER
    return _BY_CODE.get(code, _OTHER)


def is_secret(name: str) -> bool:
    """Whether what is typed there is never shown again."""
    return "password" in name or "webhook" in name


def _kept() -> list[Field]:
    return [
        Field(name, "" if is_secret(name) else value)
        for name, value in request.form.items(multi=True)
        if name != "csrf_token"
    ]


def is_ours() -> bool:
    """Whether our own page sent this: another site must not get its fields into a form of ours.

    Every browser of today says where a form came from.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def _plain(text: str, code: int) -> Response:
    return Response(text + "\n", code, content_type="text/plain; charset=utf-8")
