"""Random keys made on first use. They sign forms; whoever can read them can already read the database."""

from __future__ import annotations

from sqlalchemy.orm import Session

from monitor.store.schema_desk import Key


def get(session: Session, name: str) -> bytes | None:
    row = session.get(Key, name)
    return row.value if row is not None else None


def put(session: Session, name: str, value: bytes) -> bytes:
    session.add(Key(name=name, value=value))
    return value
