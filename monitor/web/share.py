"""Addresses as other sites need them, and what they copy into their pages."""

from __future__ import annotations

from typing import Any

from flask import current_app, request, url_for
from markupsafe import escape

from monitor.web.board_view import Board
from monitor.web.context import monitor
from monitor.web.files import file_of, relative

#: As every page's, but any site may frame it.
EMBED_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors *"
)


def address(endpoint: str, **values: Any) -> str:
    """The whole address of a page: below ``organization.board_url`` if config names one, else where we were asked.

    In an exported copy of a board without one it is the way from this file to that.
    """
    board_url = monitor().config.organization.board_url
    path = url_for(endpoint, **values)
    if not current_app.config.get("EXPORTED", False):
        return f"{(board_url or request.host_url).rstrip('/')}{path}"
    return f"{board_url.rstrip('/')}/{file_of(path)}" if board_url else relative(path, request.full_path)


def frame(embed: str, name: str) -> str:
    """The code that frames it."""
    title = name or monitor().config.web.title
    height = 220 if name else 640
    return (
        f'<iframe src="{escape(embed)}" title="{escape(title)}" width="100%" height="{height}" loading="lazy"></iframe>'
    )


def summary(board: Board) -> str:
    """The board in one sentence: "15 issues: 5 Legislation Achieved, 6 Some Progress, 4 No Progress. Verified …"."""
    parts = ", ".join(f"{number} {status.label}" for status, number, _ in board.tally)
    verified = f" Verified {board.fresh.verified.words}." if board.fresh.verified else ""
    return f"{len(board.rows)} issues: {parts}.{verified}"
