"""The one floor's tool for transactions: every commit of the program stands here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.orm import Session
from sqlalchemy.types import DateTime, TypeDecorator

#: Seconds a writer waits for another process (a backup, the command line) to let go.
BUSY_SECONDS = 60

#: Values named in one question, and rows written together; engines limit the one, and memory the other.
CHUNK = 1_000

_T = TypeVar("_T")


def chunks(items: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """Some at a time, in their order."""
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


#: What a unit that writes says first: one writer at a time, so that what it reads cannot go stale before it writes.
#: SQLAlchemy's own deferred BEGIN silently lost read-modify-writes on SQLite (measured, DESIGN 5), and PostgreSQL's
#: READ COMMITTED loses them the same way. Its lock is of our schema alone and ends with the transaction.
_ONE_WRITER = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(1819307886, current_schema()::regnamespace::oid::int)",
}


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, aware UTC datetimes out, on every engine."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def has_wal_bug(version: tuple[int, int, int]) -> bool:
    """SQLite 3.7.0 to 3.51.2 may lose a commit when WAL resets under several connections.

    Fixed in 3.51.3 and backported to 3.50.7 and 3.44.6 (SQLite's own notes; DESIGN 5).
    """
    fixed_branches = {(3, 50): 7, (3, 44): 6}
    fixed_from = fixed_branches.get(version[:2])
    if fixed_from is not None:
        return version[2] < fixed_from
    return (3, 7, 0) <= version < (3, 51, 3)


def journal_mode(version: tuple[int, int, int] | None = None) -> str:
    """WAL where it is safe, TRUNCATE where the library has the WAL-reset bug."""
    known = version or sqlite_version()
    return "TRUNCATE" if has_wal_bug(known) else "WAL"


def sqlite_version() -> tuple[int, int, int]:
    major, minor, patch = sqlite3.sqlite_version_info
    return major, minor, patch


class Database:
    """Opens transactions. ``url`` is an SQLAlchemy URL; SQLite by default, PostgreSQL when asked."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url)

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a server or a database in memory."""
        name = self.url.database if self.is_sqlite else None
        return Path(name) if name and name != ":memory:" else None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A unit of work that writes. It takes the write lock first, so what it reads cannot go stale."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(_ONE_WRITER[self.url.get_backend_name()])
            with Session(bind=connection, expire_on_commit=False, autoflush=True) as session:
                yield session
                session.flush()
                connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A unit that only reads, from one consistent state; nothing it does is kept."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            with Session(bind=connection, expire_on_commit=False) as session:
                yield session

    @contextmanager
    def single(self) -> Iterator[Connection]:
        """A connection on which every statement is a unit of its own: for a look, or a write that needs no look first.

        SQLite's is for looks only.
        """
        with self.engine.connect() as connection:
            yield connection if self.is_sqlite else connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """One transaction around a whole migration: a killed upgrade leaves the old version.

        Raises RuntimeError, and takes everything back, when rows are left that refer to nothing.
        """
        with self.engine.connect() as connection:
            if self.is_sqlite:
                # To change a column SQLite makes the table anew and drops the old one, to which others may refer.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql(_ONE_WRITER[self.url.get_backend_name()])
            try:
                yield connection
                orphans = _orphans(connection) if self.is_sqlite else []
                if orphans:
                    raise RuntimeError(f"the migration would leave rows that refer to nothing: {orphans[0]}")
                connection.commit()
            finally:
                connection.invalidate()  # nobody else may get it with its foreign keys off

    def answers(self) -> bool:
        """Whether the database answers at all; never raises."""
        try:
            with self.reading() as session:
                session.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001 - the watchdog only asks yes or no
            return False
        return True

    def backup(self, target: Path) -> None:
        """A consistent copy while others write (SQLite only); it has its name only once it is whole.

        Raises ValueError when ``target`` exists or cannot be written.
        """
        if not self.is_sqlite:
            raise ValueError("for PostgreSQL use pg_dump: monitor backs up SQLite files only")
        if target.exists():
            raise ValueError(f"{target} exists already; name a new file, nothing was written")
        part = target.with_name(f"{target.name}.part")
        try:
            part.unlink(missing_ok=True)  # a backup that was killed left it
            _copy(str(self.url.database), part)
            part.rename(target)
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"{target} cannot be written: {error}") from error

    def problems(self, *, quick: bool = False) -> list[str]:
        """What the engine itself finds wrong with the stored data; empty when sound. ``quick`` leaves indexes out."""
        if not self.is_sqlite:
            return []
        question = text("PRAGMA quick_check") if quick else text("PRAGMA integrity_check")
        with self.reading() as session:
            integrity = [row[0] for row in session.execute(question)]
            orphans = _orphans(session.connection())
        return [line for line in integrity if line != "ok"] + orphans

    def close(self) -> None:
        self.engine.dispose()


def _orphans(connection: Connection) -> list[str]:
    rows = connection.execute(text("PRAGMA foreign_key_check"))
    return [f"{row[0]} row {row[1]} points to no {row[2]}" for row in rows]


#: What a copy made by us says of where it is; see monitor/store/places.py.
COPY = "a copy"


def _copy(database: str, target: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'places'").fetchone():
            copy.execute("UPDATE places SET place = ?", (COPY,))
            copy.commit()


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        cursor.execute(f"PRAGMA journal_mode={journal_mode()}")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine


def _postgres_engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.commit()

    return engine
