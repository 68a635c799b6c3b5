"""What stands at the top of every page of the desk: adding a page to it is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, request, url_for
from sqlalchemy.orm import Session

from monitor.store import queue
from monitor.web.access import visitor
from monitor.web.context import monitor


@dataclass(frozen=True, slots=True)
class Entry:
    """A page by its endpoint. ``note`` may say more after its name, such as " (7)"."""

    label: str
    endpoint: str
    note: Callable[[Session], str] | None = None


#: In the order they are shown. An endpoint that is not served is left out.
ENTRIES = (
    Entry("Queue", "desk.queue", lambda session: f" ({queue.waiting(session, monitor().today())})"),
    Entry("Sources", "sources.listing"),
    Entry("Today", "today.page"),
    Entry("Issues", "tracked.listing"),
    Entry("Subscribers", "subscribers.listing"),
    Entry("Audit log", "audit.listing"),
    Entry("Search", "search.page"),
    Entry("Public board", "board.board"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is shown on this request."""

    text: str
    url: str
    is_here: bool


def links() -> list[Link]:
    """The entries for whoever is signed in; nothing before that."""
    if visitor() is None:
        return []
    served = [entry for entry in ENTRIES if entry.endpoint in current_app.view_functions]
    with monitor().database.reading() as session:
        return [
            Link(
                entry.label + (entry.note(session) if entry.note is not None else ""),
                url_for(entry.endpoint),
                entry.endpoint.partition(".")[0] == request.blueprint,
            )
            for entry in served
        ]
