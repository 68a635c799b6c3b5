"""Saved pages, served so that nothing in them can run."""

from __future__ import annotations

import codecs
from typing import cast

from flask import Response, abort, request
from sqlalchemy.orm import Session
from werkzeug.http import parse_options_header

from monitor.store import snapshots
from monitor.store.schema import Snapshot

#: Nothing may be loaded or run, whatever a browser takes the text for.
POLICY = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def saved(session: Session, snapshot: Snapshot) -> Response:
    """The exact bytes as received: as plain text, or as a download if they are none. 410 if they are damaged."""
    try:
        body = snapshots.body_of(session, snapshot.id)
    except snapshots.DamagedError:
        abort(410)
    is_text = b"\0" not in body[:8192] and not body.startswith(b"%PDF")
    response = Response(
        body, content_type=f"text/plain; charset={charset(snapshot)}" if is_text else "application/octet-stream"
    )
    if not is_text:
        response.headers["Content-Disposition"] = f'attachment; filename="{snapshot.sha256[:16]}.bin"'
    response.headers["Content-Security-Policy"] = POLICY
    response.cache_control.public = True
    response.cache_control.max_age = 365 * 86400
    response.cache_control.immutable = True
    response.set_etag(snapshot.sha256[:32])
    return cast("Response", response.make_conditional(request))


def charset(snapshot: Snapshot) -> str:
    """What the source said its text is in; UTF-8 if it said nothing we know."""
    named = parse_options_header(snapshot.content_type or "")[1].get("charset", "utf-8")
    try:
        return codecs.lookup(named).name
    except LookupError:
        return "utf-8"
