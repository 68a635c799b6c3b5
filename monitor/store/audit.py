"""The audit log's rows. Nothing here changes one."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.store.schema_desk import Deed

#: Lines held in memory at once.
_BATCH = 500


def newest(session: Session) -> Deed | None:
    return session.scalars(select(Deed).order_by(Deed.id.desc()).limit(1)).first()


def page(session: Session, limit: int, before: int | None = None) -> list[Deed]:
    """The newest ``limit`` lines, or those older than line ``before``."""
    query = select(Deed).order_by(Deed.id.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(Deed.id < before)))


def every(session: Session) -> Iterator[tuple[int, Deed | None]]:
    """All lines in order with their numbers; None in place of one that cannot be read as a line at all."""
    last: int | None = None
    while True:
        query = select(Deed.id).order_by(Deed.id).limit(_BATCH)
        numbers = list(session.scalars(query if last is None else query.where(Deed.id > last)))
        if not numbers:
            return
        yield from _lines(session, numbers)
        session.expunge_all()
        last = numbers[-1]


def _lines(session: Session, numbers: list[int]) -> Iterator[tuple[int, Deed | None]]:
    query = select(Deed).where(Deed.id.between(numbers[0], numbers[-1])).order_by(Deed.id)
    try:
        yield from [(row.id, row) for row in session.scalars(query)]
    except (TypeError, ValueError):  # a column that was tampered with is no JSON or no moment any more
        for number in numbers:
            yield number, _line(session, number)


def _line(session: Session, number: int) -> Deed | None:
    try:
        return session.get(Deed, number)
    except (TypeError, ValueError):
        return None
