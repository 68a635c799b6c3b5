"""What the pages of the desk's tools share."""

from __future__ import annotations

from monitor.web.access import visitor


def me() -> str:
    """The name of who is signed in, on a page that nobody else may call."""
    who = visitor()
    assert who is not None
    return who.name
