"""What every public page needs."""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template, url_for

from monitor.web import share, words
from monitor.web.context import monitor


def show(template: str, heading: str, summary: str, here: str, **values: Any) -> str:
    """A page with what all public pages need. ``here`` is its own address, whole if other sites may name it."""
    config = monitor().config
    return render_template(
        template,
        heading=heading,
        summary=" ".join(summary.split())[:300],
        here=here,
        whole=here.startswith("http"),
        organization=config.organization.name,
        contact=config.organization.contact,
        find_legislators=config.web.find_legislators_url,
        alerts=_alerts(),
        exported=current_app.config.get("EXPORTED", False),
        made=words.at(monitor().now()),
        address=share.address,
        **values,
    )


def _alerts() -> str:
    """Where a reader signs up; a copy of files cannot take anything."""
    offered = monitor().config.alerts_url and not current_app.config.get("EXPORTED", False)
    return url_for("subscribe.sign_up") if offered else ""
