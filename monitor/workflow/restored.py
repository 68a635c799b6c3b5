"""A restored backup does not send old messages again: what it had queued is held until a person says what to do."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from monitor.model.messaging import Item
from monitor.store import held, places
from monitor.workflow import notices
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint

log = structlog.get_logger()

FORGOTTEN = "forgotten: it was queued in a database that was restored"


def look(context: Context) -> int:
    """Hold what a copy would send again, and tell the operators. Returns how many messages are held by now."""
    with context.database.reading() as session:
        if places.is_settled(session) and not places.is_moved(session, context.database):
            return held.count(session)
    with context.database.transaction() as session:
        if places.is_moved(session, context.database):
            _hold(session, context)
        count = held.count(session)
        claims = places.settle(session, context.database)
        killpoint("before_hold_commit")
    places.remember(context.database, claims)
    killpoint("after_hold_commit")
    return count


def _hold(session: Session, context: Context) -> None:
    count = held.hold(session)
    places.skip_numbers(session, context.database)
    log.warning("database_is_a_copy", held=count)
    if count:
        notices.tell_operators(session, context.config, _notice(count), context.now())


def _notice(count: int) -> Item:
    messages = "1 message" if count == 1 else f"{count} messages"
    return Item(
        f"{messages} to subscribers {'is' if count == 1 else 'are'} held",
        "The database is a copy, or older than it has been, as after a backup was restored: what it had queued may "
        "have been sent before. What is queued from now on is sent.",
        narrative="To send them, run: monitor deliver --resume. To drop them, run: monitor deliver --forget",
    )


def resume(context: Context) -> int:
    """Send what is held after all: each is due as it was. Returns how many."""
    with context.database.transaction() as session:
        return held.release(session)


def forget(context: Context) -> int:
    """Cancel what is held. Returns how many."""
    with context.database.transaction() as session:
        return held.forget(session, FORGOTTEN)
