"""Whether this database is where it was, and as new as it was: a restored backup would send old messages again.

What it says of its own place is held against the place it is in. SQLite's file is known by its inode, which a copy
does not have, and by a small file beside it that counts the claims too: whatever is put over the database has counted
fewer. PostgreSQL's is known by its cluster, its database, its table and its timeline.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from monitor.store.database import Database
from monitor.store.schema import Subscription
from monitor.store.schema_subscribers import Place, SignUp

#: More than signed up between a backup and its use, and few enough of the two thousand million that fit.
_LOST = 100_000

#: SQLite has no row for a table that never had one.
_SEEN = (
    "INSERT INTO sqlite_sequence (name, seq)"
    " SELECT :table, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :table)"
)
_SKIP_SQLITE = "UPDATE sqlite_sequence SET seq = seq + :many WHERE name = :table"
_SKIP_POSTGRES = (
    "SELECT setval(seq, nextval(seq) + :many)"
    " FROM (SELECT CAST(pg_get_serial_sequence(:table, 'id') AS regclass) AS seq) AS found"
)

_CLUSTER = text(
    "SELECT concat_ws(':', (SELECT system_identifier FROM pg_control_system()),"
    " (SELECT timeline_id FROM pg_control_checkpoint()),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()), 'places'::regclass::oid)"
)


def here(session: Session, database: Database) -> str:
    """The place this database is in now."""
    if not database.is_sqlite:
        return str(session.scalar(_CLUSTER))
    return f"inode {database.file.stat().st_ino}" if database.file is not None else "memory"


def is_moved(session: Session, database: Database) -> bool:
    """Whether it is a copy, or an older state than it has been. Not so for one that was never sent from."""
    row = session.get(Place, 1)
    if row is None:
        return False
    counted = _counted(database)
    return row.place != here(session, database) or (counted is None and row.claims > 0) or row.claims < (counted or 0)


def settle(session: Session, database: Database) -> int:
    """It is here, from now on. Returns the count to ``remember`` once that is so."""
    row = session.get(Place, 1) or Place(id=1, claims=0)
    row.place, row.claims = here(session, database), max(row.claims, _counted(database) or 0)
    session.add(row)
    return row.claims


def is_settled(session: Session) -> bool:
    """Whether it was ever sent from."""
    return session.get(Place, 1) is not None


def skip_numbers(session: Session, database: Database) -> None:
    """Leave out the numbers that rows may have had which are lost with what came after the copy: links that were signed
    for them must not open another reader's page."""
    for table in (Subscription.__tablename__, SignUp.__tablename__):
        if database.is_sqlite:
            session.execute(text(_SEEN), {"table": table})
        words = _SKIP_SQLITE if database.is_sqlite else _SKIP_POSTGRES
        session.execute(text(words), {"table": table, "many": _LOST})


def claimed(session: Session) -> int:
    """One more claim. Returns the count to ``remember`` once it is committed."""
    return session.scalar(update(Place).values(claims=Place.claims + 1).returning(Place.claims)) or 0


def remember(database: Database, claims: int) -> None:
    """Beside SQLite's file: written in place, whole or not at all. Not synced, since a smaller count cries no wolf."""
    path = _beside(database)
    if path is None:
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(file, f"{claims:020}\n".encode(), 0)
    finally:
        os.close(file)


def _counted(database: Database) -> int | None:
    """None if there is no such file; 0 if it was only begun."""
    path = _beside(database)
    if path is None:
        return 0
    try:
        return int(path.read_text(encoding="ascii") or "0")
    except FileNotFoundError:
        return None


def _beside(database: Database) -> Path | None:
    return database.file.with_name(f"{database.file.name}-claims") if database.file is not None else None
