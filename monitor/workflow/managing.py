"""What a reader does with their own subscription: change it, pause, leave, come back, take the data, be forgotten.

Each takes a subscription's number; False, or nothing, says that there is no such. ``by`` is the maintainer who does it
in their stead: then the audit log has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from monitor.model.messaging import ChannelKind, Choice
from monitor.notify.channels import mask_address
from monitor.store import kept as store
from monitor.store import subscriptions, suppressions
from monitor.store.schema import Delivery, Subscription
from monitor.workflow import audit
from monitor.workflow.context import Context
from monitor.workflow.links import links
from monitor.workflow.pace import reschedule

Deed = Callable[[Session, Subscription], bool | None]


def change(context: Context, number: int, choice: Choice, *, by: str = "") -> bool:
    """Let it ask for ``choice`` from now on."""

    def deed(session: Session, row: Subscription) -> None:
        subscriptions.choose(row, choice)
        reschedule(session, context.config, row, context.now())

    return _do(context, number, deed, by, "changed subscriber")


def pause(context: Context, number: int, until: date | None, *, by: str = "") -> bool:
    """Send nothing before ``until``; None starts again now. What waited comes then."""

    def deed(session: Session, row: Subscription) -> None:
        row.paused_until = until
        reschedule(session, context.config, row, context.now())

    return _do(context, number, deed, by, "paused subscriber" if until else "resumed subscriber")


def leave(context: Context, number: int, why: str = "", *, by: str = "") -> bool:
    """Tell it nothing more, however often that is asked."""

    def deed(session: Session, row: Subscription) -> None:
        if row.left_at is None:
            subscriptions.leave(session, row, context.now())
            _suppress(session, context, row, "left", why)

    return _do(context, number, deed, by, "removed subscriber")


def come_back(context: Context, number: int) -> bool:
    """Take leaving back. False too when the address is not written to for another reason."""

    def deed(session: Session, row: Subscription) -> bool:
        if row.broken_at is not None:
            return False  # it refused our mail: what keeps an import from bringing it back must stay
        keyed = links(session)
        kept = suppressions.find(session, keyed, row.address)
        if kept is not None and kept.why == "left":
            suppressions.lift(session, keyed, row.address)
            kept = None
        row.left_at = row.left_at if kept else None
        return row.live

    return _do(context, number, deed)


def delete(context: Context, number: int, *, by: str = "") -> bool:
    """Forget who it was: a fingerprint alone stays, so that nobody writes to them again."""

    def deed(session: Session, row: Subscription) -> None:
        _suppress(session, context, row, "deleted")
        store.forget(session, row)

    return _do(context, number, deed, by, "deleted subscriber")


def held(context: Context, number: int) -> dict[str, Any] | None:
    """Everything that is kept of it, ready for JSON."""
    with context.database.reading() as session:
        row = session.get(Subscription, number)
        if row is None:
            return None
        return {
            "subscription": _plain(row),
            "messages": [_told(one) for one in store.deliveries(session, row)],
            "sign_ups": [
                {"at": one.created_at, "from": one.ip, "choice": one.choice, "confirmed": one.used_at}
                for one in store.typed(session, row)
            ],
        }


def masked(row: Subscription) -> str:
    """The address as it may be shown; that of a webhook is masked as it stands."""
    return row.address if row.sealed else mask_address(ChannelKind(row.channel), row.address)


def _do(context: Context, number: int, deed: Deed, by: str = "", what: str = "") -> bool:
    with context.database.transaction() as session:
        row = session.get(Subscription, number)
        done = row is not None and deed(session, row) is not False
        if done and by:
            audit.append(session, by, what, f"subscription {number}", {}, context.now())
        return done


def _suppress(session: Session, context: Context, row: Subscription, why: str, detail: str = "") -> None:
    shown = "" if why == "deleted" else masked(row)
    suppressions.suppress(session, links(session), row.address, shown, why, detail, context.now())


def _plain(row: Subscription) -> dict[str, Any]:
    choice = asdict(subscriptions.choice_of(row))
    names = ("created_at", "consent", "consented_on", "paused_until", "heartbeat_at", "left_at", "broken_at")
    return {"address": row.address, "channel": row.channel, **choice} | {name: getattr(row, name) for name in names}


def _told(delivery: Delivery) -> dict[str, Any]:
    if delivery.transition is not None:
        about = f"{delivery.transition.issue_id}: {delivery.transition.reason}"
    else:
        about = delivery.notice.kind if delivery.notice is not None else ""
    return {"about": about, "state": delivery.state, "due": delivery.due_at, "sent": delivery.sent_at}
