"""Messages that were taken are marked as sent: on a slip at once, in the database by the hundred.

Where slips are not to be had (PostgreSQL, or another process holds them) every message is marked in the database by
itself, which is as safe and slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from monitor.store import outbox
from monitor.store.slips import InUseError, Slips, peek
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint

log = structlog.get_logger()


class Marks:
    """The marks of one pass."""

    def __init__(self, context: Context, slips: Slips | None) -> None:
        self._context = context
        self._slips = slips
        self._noted: list[tuple[str, dict[str, Any]]] = []

    def note(self, key: str, values: dict[str, Any]) -> bool:
        """Whether it is on disk now that this message was taken. If not, the database must be told at once."""
        if self._slips is None:
            return False
        self._slips.note(key)
        killpoint("after_note")
        self._noted.append((key, values))
        return True

    def enter(self) -> None:
        """Tell the database of everything noted."""
        if self._slips is None or not self._noted:
            return
        with self._context.database.transaction() as session:
            for key, values in self._noted:
                outbox.mark(session, key, self._context.owner, **values)
            killpoint("before_mark_commit")
        killpoint("after_mark_commit")
        self._slips.clear()
        self._noted.clear()


@contextmanager
def opened(context: Context) -> Iterator[Marks]:
    """Marks for one pass, after the database has been told what a crash left on the slips."""
    file = context.database.file
    path = file.with_name(f"{file.name}-sent") if file is not None else None
    try:
        slips = Slips(path) if path is not None else None
    except InUseError:
        slips = None
    try:
        if path is not None:
            # Of another process too: it may be suspended, and what it has sent must not be sent again.
            _enter_found(context, slips.found() if slips is not None else peek(path))
        if slips is not None:
            slips.clear()
        yield Marks(context, slips)
    finally:
        if slips is not None:
            slips.close()


def _enter_found(context: Context, found: list[str]) -> None:
    if not found:
        return
    with context.database.transaction() as session:
        count = outbox.mark_taken(session, found, context.now())
        killpoint("before_recover_commit")
    killpoint("after_recover_commit")
    if count:
        log.info("taken_before_a_crash", messages=count)
