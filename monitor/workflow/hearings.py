"""A row that announces a hearing becomes an entry of a calendar."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from monitor.config import Config
from monitor.interpret.sentences import plain_title
from monitor.notify.calendar import Hearing
from monitor.store.watched import Notice
from monitor.workflow.sync import bill_page_url


def entry_of(config: Config, day: date, one: Notice) -> Hearing:
    """The hearing of ``day`` that this row announces; the row's number names it for good."""
    board = str(config.organization.board_url or "")
    host = urlsplit(board).hostname or config.organization.contact.partition("@")[2]
    return Hearing(
        uid=f"hearing-{one.action_id}@{host}",
        bill=one.key.label,
        title=plain_title(one.title),
        day=day,
        url=bill_page_url(config.sources.cga.base_url, one.key),
        sequence=one.changes + (1 if one.is_gone and not one.changes else 0),
        changed_at=one.changed_at,
        is_cancelled=one.is_gone,
    )
