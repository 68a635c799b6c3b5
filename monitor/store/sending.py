"""The two statements of every message that is sent: whether it is still ours and wanted, and that it was taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, literal_column, select, update

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


class LastLook:
    """At each message, just before its last line: by the driver itself, in words made once."""

    def __init__(self, connection: Connection, owner: str) -> None:
        compiled = _LOOK.compile(connection)
        self._cursor = connection.connection.cursor()
        self._words = str(compiled)
        self._order = compiled.positiontup
        self._owner = owner

    def of(self, key: str) -> bool | None:
        """Whether its reader has neither left nor been given up, as of this moment; None if the message is no longer
        ours, because we overslept our lease and somebody else has claimed it."""
        known: Any = {"key": key, "owner": self._owner}
        self._cursor.execute(self._words, [known[name] for name in self._order] if self._order else known)
        found = self._cursor.fetchall()  # as many as the message has deliveries
        return not any(found[0]) if found else None


#: Of our own people there is no subscription, so nothing of it is set: they are always there.
_LOOK = (
    select(_SUBSCRIPTIONS.c.left_at, _SUBSCRIPTIONS.c.broken_at)
    .select_from(_DELIVERIES.outerjoin(_SUBSCRIPTIONS))
    .where(
        _DELIVERIES.c.message_key == bindparam("key"),
        _DELIVERIES.c.claimed_by == bindparam("owner"),
        _DELIVERIES.c.state == literal_column(f"'{DeliveryState.SENDING}'"),
    )
)
