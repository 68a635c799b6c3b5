"""A person wants a source read at once: it is made due, and the service reads it in its own manners."""

from __future__ import annotations

from datetime import timedelta

from monitor.store import runs
from monitor.store.schema import Source
from monitor.workflow import audit
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal

#: A service that runs begins a pass every ``schedule.tick_seconds``; one of them may take long.
_PASSES, _SLOW = 3, timedelta(minutes=5)


def read_now(context: Context, source_id: int, by: str) -> Source:
    """Make a source due; one that is due already stays so. Raises Refusal for one that is not read."""
    now = context.now()
    with context.database.transaction() as session:
        source = session.get(Source, source_id)
        if source is None or not source.active:
            raise Refusal("this source is not read any more: config.yaml does not name it. Nothing was changed.")
        if source.next_check_at is None or source.next_check_at > now:
            source.next_check_at = now
            audit.append(session, by, "asked to read now", source.slug, {}, now)
    return source


def is_running(context: Context) -> bool:
    """Whether a service has begun a pass lately."""
    with context.database.reading() as session:
        last = runs.last(session)
    patience = max(_PASSES * timedelta(seconds=context.config.schedule.tick_seconds), _SLOW)
    return last is not None and last.started_at > context.now() - patience
