"""Messages that were taken are marked as sent: on a slip at once, in the database by the hundred.

On PostgreSQL each mark is a statement that commits by itself, and where another process holds the slips a transaction:
as safe, and slower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import structlog
from sqlalchemy import Connection

from monitor.store import outbox, sending
from monitor.store.slips import InUseError, Slips, peek
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint

log = structlog.get_logger()


class Marks:
    """The marks of one pass: any thread notes, one enters what was noted."""

    def __init__(self, context: Context, slips: Slips | None, direct: Connection | None) -> None:
        self._context = context
        self._slips = slips
        self._direct = direct
        self._noted: list[dict[str, Any]] = []
        self._lock = Lock()

    @property
    def has_slips(self) -> bool:
        """Whether a note costs no more than a sync of the disk, and any thread may make one."""
        return self._slips is not None

    def note(self, taken: Sequence[tuple[str, int | None]]) -> bool:
        """Whether it is on disk now that these messages, with what was answered to each, were taken. If not, the
        database must be told of each at once."""
        marks = [sending.taken(key, self._context.owner, code, self._context.now()) for key, code in taken]
        if self._direct is not None:
            killpoint("before_mark_commit")
            sending.mark_all(self._direct, marks)
            killpoint("after_mark_commit")
            return True
        if self._slips is None or not self._slips.note([key for key, _ in taken]):
            return False
        killpoint("after_note")
        with self._lock:
            self._noted += marks
        return True

    def enter(self) -> None:
        """Tell the database of everything noted."""
        with self._lock:
            noted, self._noted = self._noted, []
        if self._slips is None or not noted:
            return
        with self._context.database.transaction() as session:
            sending.mark_all(session.connection(), noted)
            killpoint("before_mark_commit")
        killpoint("after_mark_commit")
        self._slips.clear([mark["key"] for mark in noted])


@contextmanager
def opened(context: Context) -> Iterator[Marks]:
    """Marks for one pass, after the database has been told what a crash left on the slips."""
    file = context.database.file
    with ExitStack() as stack:
        if not context.database.is_sqlite:
            yield Marks(context, None, stack.enter_context(context.database.single()))
            return
        slips = _slips(context, stack, file.with_name(f"{file.name}-sent")) if file is not None else None
        yield Marks(context, slips, None)


def _slips(context: Context, stack: ExitStack, path: Path) -> Slips | None:
    try:
        slips = stack.enter_context(Slips(path))
    except InUseError:
        # Of another process too: it may be suspended, and what it has sent must not be sent again.
        _enter_found(context, peek(path))
        return None
    _enter_found(context, slips.found())
    slips.wipe()
    return slips


def _enter_found(context: Context, found: list[str]) -> None:
    if not found:
        return
    with context.database.transaction() as session:
        count = outbox.mark_taken(session, found, context.now())
        killpoint("before_recover_commit")
    killpoint("after_recover_commit")
    if count:
        log.info("taken_before_a_crash", messages=count)
