"""Every blueprint, by name: adding pages is one line here."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add all pages to ``app``."""
    from monitor.web import audit, board, desk, manage, search, signin, sources, subscribe, subscribers, today, tracked

    for module in (board, subscribe, manage, signin, desk, sources, subscribers, today, tracked, search, audit):
        app.register_blueprint(module.blueprint)
    # One-click leaving (RFC 8058) has no form of ours before it, and pages that are the same for all hold no token.
    for view in (manage.leave, subscribe.short):
        app.extensions["csrf"].exempt(view)
