"""Forgetting what retention gives up. What a proposal cites is never deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from monitor.model.messaging import DeliveryState
from monitor.store import accounts, attempts, sign_ups, snapshots
from monitor.store.schema import ChangeRow, Delivery, Run
from monitor.workflow.attempts import FORGOTTEN_AFTER
from monitor.workflow.context import Context
from monitor.workflow.sign_up import LASTS

_OVER = (DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.CANCELLED)


def prune(context: Context, progress: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Delete what is older than config keeps it. Returns how many rows of each went; ``progress`` is called after
    each kind."""
    gone = {}
    with context.database.transaction() as session:
        for kind, count in _pruned(session, context):
            gone[kind] = count
            progress()
    return gone


def _pruned(session: Session, context: Context) -> Iterator[tuple[str, int]]:
    kept, now = context.config.retention, context.now()
    pages, accepted = kept.rejected_pages, kept.snapshots
    yield "rejected_pages", snapshots.prune_failures(session, now - pages) if pages else 0
    yield "snapshots", snapshots.prune_accepted(session, now - accepted) if accepted else 0
    yield "deliveries", _deliveries(session, context, kept.deliveries)
    yield "checks", _runs(session, context, kept.checks)
    yield "sign_ins", accounts.prune(session, now)
    yield "sign_ups", sign_ups.prune(session, now - LASTS)
    yield "sign_in_failures", attempts.prune(session, now - FORGOTTEN_AFTER)


def _deliveries(session: Session, context: Context, kept: timedelta | None) -> int:
    if kept is None:
        return 0
    old = delete(Delivery).where(Delivery.state.in_(_OVER), Delivery.created_at < context.now() - kept)
    return len(session.execute(old.returning(Delivery.id)).all())


def _runs(session: Session, context: Context, kept: timedelta | None) -> int:
    """Runs that found nothing; one that found a change stays, since the change names it."""
    if kept is None:
        return 0
    cited = select(ChangeRow.run_id).where(ChangeRow.run_id.is_not(None))
    old = delete(Run).where(Run.started_at < context.now() - kept, Run.id.not_in(cited))
    return len(session.execute(old.returning(Run.id)).all())
