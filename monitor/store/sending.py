"""The two statements of every message that is sent: whether its reader is still there, and that it was taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select, update

from monitor.model.messaging import DeliveryState
from monitor.store.schema import Delivery, Subscription

_DELIVERIES: Table = Delivery.__table__  # type: ignore[assignment]  # declared as a wider type
_SUBSCRIPTIONS: Table = Subscription.__table__  # type: ignore[assignment]


def taken(key: str, owner: str, code: int | None, now: datetime) -> dict[str, Any]:
    """The mark of a message that was taken, for ``mark_all``."""
    return {"key": key, "owner": owner, "code": code, "now": now}


#: As outbox.mark, of what changes when a message is taken. Made once: it is run for every message.
_TAKEN = (
    update(_DELIVERIES)
    .where(
        _DELIVERIES.c.message_key == bindparam("key"),
        _DELIVERIES.c.claimed_by == bindparam("owner"),
        _DELIVERIES.c.state == DeliveryState.SENDING,
    )
    .values(
        state=DeliveryState.SENT,
        code=bindparam("code"),
        sent_at=bindparam("now"),
        error="",
        claimed_by=None,
        claimed_until=None,
    )
)


def mark_all(connection: Connection, marks: Sequence[dict[str, Any]]) -> None:
    """Record messages that were ``taken``; those that somebody else holds by now stay as they are."""
    connection.execute(_TAKEN, list(marks))


class Presence:
    """Whether subscribers are still there, one look for each message: by the driver itself, in words made once."""

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.connection.cursor()
        self._words = str(_PRESENT.compile(connection))
        self._by_name = connection.dialect.positional is False

    def is_wanted(self, subscription_id: int) -> bool:
        """Whether this subscriber has neither left nor been given up, as of this moment."""
        known: Any = {"who": subscription_id} if self._by_name else (subscription_id,)
        self._cursor.execute(self._words, known)
        return self._cursor.fetchone() is not None


_PRESENT = select(_SUBSCRIPTIONS.c.id).where(
    _SUBSCRIPTIONS.c.id == bindparam("who"),
    _SUBSCRIPTIONS.c.left_at.is_(None),
    _SUBSCRIPTIONS.c.broken_at.is_(None),
)
