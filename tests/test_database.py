"""The floor everything stands on: what is acknowledged stays, on both engines, whoever else writes."""

from __future__ import annotations

import ctypes
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from crash import Launcher
from sqlalchemy import Column, MetaData, Table, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from monitor.model.tracking import Page, SourceKind, Verdict
from monitor.store import database as module
from monitor.store import migrations, snapshots
from monitor.store.database import Database, UtcDateTime, has_wal_bug, journal_mode
from monitor.store.schema import Snapshot, Source, Topic

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2025, 6, 10, 16, 0, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    migrations.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    migrations.upgrade(opened)
    yield opened
    opened.close()


def file_of(database: Database) -> Path:
    return Path(str(database.url.database))


def add_source(database: Database, slug: str = "one") -> int:
    with database.transaction() as session:
        source = Source(slug=slug, kind=SourceKind.FEED, url="https://example.org/feed")
        session.add(source)
        session.flush()
        return source.id


# ------------------------------------------------------------------ SQLite's own settings


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),  # before WAL
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 44, 7), False),
        ((3, 45, 0), True),
        ((3, 49, 9), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_wal_is_used_only_where_it_does_not_lose_commits(version: tuple[int, int, int], affected: bool) -> None:
    assert has_wal_bug(version) is affected
    assert journal_mode(version) == ("TRUNCATE" if affected else "WAL")


@pytest.mark.parametrize(("version", "mode"), [((3, 51, 3), "wal"), ((3, 51, 2), "truncate")])
def test_every_connection_is_durable_and_keeps_its_references(
    sqlite_url: str, version: tuple[int, int, int], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "sqlite_version", lambda: version)
    opened = Database(sqlite_url)
    with opened.engine.connect() as one, opened.engine.connect() as two:
        for connection in (one, two):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == mode
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == module.BUSY_SECONDS * 1000
    opened.close()


def test_a_database_of_a_safe_library_leaves_wal_under_an_affected_one(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "sqlite_version", lambda: (3, 51, 3))
    first = Database(sqlite_url)
    migrations.upgrade(first)
    topic(first, "kept")
    first.close()
    monkeypatch.setattr(module, "sqlite_version", lambda: (3, 40, 1))
    second = Database(sqlite_url)
    with second.reading() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "truncate"
        assert session.get_one(Topic, "kept").name == "kept"
    second.close()


def topic(database: Database, name: str) -> None:
    with database.transaction() as session:
        session.add(Topic(id=name, name=name, position=0))


# ------------------------------------------------------------------ times


def test_moments_come_back_as_the_same_moments_in_utc(database: Database) -> None:
    eastern = datetime(2025, 3, 9, 3, 30, tzinfo=timezone(timedelta(hours=-4)))
    source_id = add_source(database)
    with database.transaction() as session:
        session.get_one(Source, source_id).next_check_at = eastern
    with database.reading() as session:
        found = session.get_one(Source, source_id).next_check_at
        assert found == eastern
        assert found is not None
        assert found.utcoffset() == timedelta(0)
        assert session.scalars(select(Source.id).where(Source.next_check_at <= eastern)).all() == [source_id]
        assert session.scalars(select(Source.id).where(Source.next_check_at < eastern)).all() == []


def test_a_moment_without_a_zone_is_refused_before_it_is_stored(database: Database) -> None:
    with pytest.raises(StatementError, match="without a time zone"), database.transaction() as session:
        session.add(Source(slug="x", kind="feed", url="u", next_check_at=datetime(2025, 3, 9, 3, 30)))  # noqa: DTZ001
    with database.reading() as session:
        assert session.scalars(select(Source)).all() == []


def test_no_column_of_the_schema_keeps_time_another_way() -> None:
    from monitor.store.schema import Base

    moments = [
        column
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith(("_at", "_until", "_since", "not_before")) or column.name == "at"
    ]
    others = {f"{column.table.name}.{column.name}" for column in moments if not isinstance(column.type, UtcDateTime)}
    # Of Connecticut's calendar:
    days = {"bills.stage_since", "issues.status_since", "proposals.postponed_until", "subscriptions.paused_until"}
    assert others == days
    assert len(moments) > 30


# ------------------------------------------------------------------ transactions


def test_an_error_takes_everything_back(database: Database) -> None:
    def half() -> None:
        with database.transaction() as session:
            session.add(Topic(id="one", name="one", position=0))
            session.flush()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half()
    topic(database, "two")
    with database.reading() as session:
        assert session.scalars(select(Topic.id)).all() == ["two"]


def test_reading_keeps_nothing(database: Database) -> None:
    with database.reading() as session:
        session.add(Topic(id="one", name="one", position=0))
        session.flush()
    with database.reading() as session:
        assert session.scalars(select(Topic.id)).all() == []


def test_a_reference_to_nothing_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO publications (source_id, key, title, url, first_seen_at)"
                " VALUES (99, 'k', 't', 'u', '2025-01-01 00:00:00')"
            )
        )


def test_a_hundred_threads_that_count_lose_nothing(database: Database) -> None:
    """Read, think, write: what SQLAlchemy's own transactions lost by half (DESIGN 5)."""
    source_id = add_source(database)
    barrier = threading.Barrier(100)
    failures: list[BaseException] = []

    def count() -> None:
        barrier.wait()
        try:
            for _ in range(5):
                with database.transaction() as session:
                    source = session.get_one(Source, source_id)
                    source.requests = source.requests + 1
        except BaseException as error:  # noqa: BLE001 - a thread's error belongs to the test
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading() as session:
        assert session.get_one(Source, source_id).requests == 500


def test_a_unit_that_writes_sees_what_the_one_before_it_wrote(database: Database) -> None:
    """The second unit begins while the first is at work: it must wait, not decide on what it can see now."""
    first_wrote, order = threading.Event(), list[str]()
    topic(database, "seen")

    def second() -> None:
        first_wrote.wait()
        with database.transaction() as session:
            order.append(session.get_one(Topic, "seen").name)

    thread = threading.Thread(target=second)
    thread.start()
    with database.transaction() as session:
        session.get_one(Topic, "seen").name = "changed"
        session.flush()
        first_wrote.set()
        thread.join(1)  # long enough to begin; a correct second unit is still waiting
        order.append("first ends")
    thread.join()
    assert order == ["first ends", "changed"]


def test_a_writer_waits_for_another_program_to_let_go(sqlite: Database) -> None:
    """As a backup or somebody's sqlite3 shell would hold it."""
    other = sqlite3.connect(file_of(sqlite), check_same_thread=False, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    order: list[str] = []

    def write() -> None:
        topic(sqlite, "waited")
        order.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(2)
    order.append("released")
    other.execute("COMMIT")
    other.close()
    thread.join()
    assert order == ["released", "written"]
    with sqlite.reading() as session:
        assert session.scalars(select(Topic.id)).all() == ["waited"]


def test_waiting_ends_with_words_when_nobody_lets_go(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 1)
    impatient = Database(database.url.render_as_string(hide_password=False))
    with database.transaction() as session:
        session.add(Topic(id="held", name="held", position=0))
        session.flush()
        with pytest.raises(DBAPIError, match="lock"):
            topic(impatient, "refused")
    topic(impatient, "afterwards")
    impatient.close()
    with database.reading() as session:
        assert sorted(session.scalars(select(Topic.id))) == ["afterwards", "held"]


def test_answers_says_whether_it_does(database: Database, tmp_path: Path) -> None:
    assert database.answers()
    assert not Database(f"sqlite:///{tmp_path / 'no such folder' / 'x.sqlite3'}").answers()
    assert not Database("postgresql+psycopg://nobody@127.0.0.1:9/none").answers()


# ------------------------------------------------------------------ backup


def test_backups_at_any_moment_of_a_busy_day_are_sound(sqlite: Database, tmp_path: Path) -> None:
    """The writer keeps two counters equal and a snapshot beside them; every copy must have them so."""
    one, two = add_source(sqlite, "one"), add_source(sqlite, "two")
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                with sqlite.transaction() as session:
                    session.get_one(Source, one).requests = number
                    page = Page("u", "u", 200, {}, random.Random(number).randbytes(3000), NOW)
                    snapshots.add(session, session.get_one(Source, one), page, Verdict.OK)
                    session.flush()
                    session.get_one(Source, two).requests = number
        except BaseException as error:  # noqa: BLE001 - a thread's error belongs to the test
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    dice = random.Random(1)
    copies = [tmp_path / f"copy-{number}.sqlite3" for number in range(20)]
    for copy in copies:
        stop.wait(dice.uniform(0, 0.05))
        sqlite.backup(copy)
    stop.set()
    thread.join()
    assert failures == []
    counted = []
    for copy in copies:
        restored = Database(f"sqlite:///{copy}")
        migrations.require(restored)
        assert restored.problems() == []
        with restored.reading() as session:
            assert snapshots.damaged(session) == []
            first, second = session.get_one(Source, one).requests, session.get_one(Source, two).requests
            assert first == second == len(session.scalars(select(Snapshot.id)).all())
            counted.append(first)
        restored.close()
    assert counted == sorted(counted)
    assert counted[-1] > counted[0], "nothing was written meanwhile"


def test_a_backup_overwrites_nothing(sqlite: Database, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    with pytest.raises(ValueError, match="exists already"):
        sqlite.backup(target)
    assert target.read_text() == "precious"


@pytest.mark.needs_postgres
def test_a_postgresql_backup_names_the_tool_for_it(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pg_dump"):
        Database(postgres_url).backup(tmp_path / "x")
    assert not (tmp_path / "x").exists()


# ------------------------------------------------------------------ the command line, before a database that is no good


_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def without_root_s_pass() -> None:
    """Permissions stop root too, from the next exec on."""
    if _LIBC.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Command:
    """`monitor` with a configuration beside ``file``; returns exit code, output, errors."""

    def __init__(self, launcher: Launcher, folder: Path, file: Path) -> None:
        self._launcher = launcher
        self.file = file
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"organization: {{name: Org, contact: a@example.org}}\ndatabase: sqlite:///{file}\noutbox: {{dir: out}}\n"
            "topics: [{id: t, name: T, issues: [{id: i, name: I, initial_status: no_progress,"
            " initial_narrative: Nothing., watches: []}]}]\n"
        )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        child = self._launcher.run(self._argv(arguments), environ=os.environ, folder=self.config.parent)
        return self._checked(child.wait(), child.said, child.errors)

    def by_permission(self, *arguments: str) -> tuple[int, str, str]:
        """The same, as a program that file permissions stop even if the tests run as root."""
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *self._argv(arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            preexec_fn=without_root_s_pass if os.geteuid() == 0 else None,
        )
        return self._checked(done.returncode, done.stdout, done.stderr)

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        return ["--config", str(self.config), *arguments]

    def _checked(self, code: int, said: str, errors: str) -> tuple[int, str, str]:
        assert "Traceback" not in errors, errors
        return code, said, errors


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as one:
        yield one


@pytest.fixture
def command(launcher: Launcher, tmp_path: Path, sqlite: Database) -> Command:
    return Command(launcher, tmp_path, file_of(sqlite))


def test_db_check_finds_one_flipped_bit_in_a_saved_page(command: Command, sqlite: Database) -> None:
    source_id = add_source(sqlite)
    with sqlite.transaction() as session:
        page = Page("u", "u", 200, {}, b"<p>An Act Concerning Everything.</p>" * 3, NOW)
        stored = snapshots.add(session, session.get_one(Source, source_id), page, Verdict.OK)
        packed, number = stored.body, stored.id
    assert command("db", "check")[:2] == (0, "The database is sound.\n")
    whole = bytearray(command.file.read_bytes())
    at = whole.index(packed) + len(packed) - 5
    whole[at] ^= 1
    command.file.write_bytes(whole)
    code, said, _ = command("db", "check")
    assert code == 3
    assert f"snapshot {number}" in said


COMMANDS = [
    ("board",),
    ("proposals", "list"),
    ("deliver",),
    ("check",),
    ("sync",),
    ("db", "check"),
    ("db", "upgrade"),
    ("subscribers", "add", "ann@example.org"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_database_is_refused_with_words_and_left_alone(
    command: Command, arguments: tuple[str, ...]
) -> None:
    command.file.write_bytes(b"Dear diary, " * 1000)
    code, _, errors = command(*arguments)
    assert code == 3, errors
    assert "database" in errors
    assert command.file.read_bytes() == b"Dear diary, " * 1000


@pytest.mark.parametrize("arguments", [one for one in COMMANDS if one != ("db", "upgrade")], ids=" ".join)
def test_a_database_damaged_in_the_middle_is_refused_with_words(command: Command, arguments: tuple[str, ...]) -> None:
    whole = bytearray(command.file.read_bytes())
    whole[100:4096] = b"\xff" * 3996  # the first page behind its header: the list of tables
    command.file.write_bytes(whole)
    code, _, errors = command(*arguments)
    assert code == 3, errors
    assert "malformed" in errors


@pytest.mark.parametrize("arguments", [("board",), ("proposals", "list"), ("deliver",), ("db", "check")], ids=" ".join)
def test_an_empty_file_says_how_to_begin(command: Command, arguments: tuple[str, ...]) -> None:
    command.file.write_bytes(b"")
    code, _, errors = command(*arguments)
    assert code == 3
    assert "monitor db upgrade" in errors
    assert command.file.read_bytes() == b""


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("sync",)],
    ids=" ".join,
)
def test_a_database_that_may_not_be_written_is_refused_with_words(command: Command, arguments: tuple[str, ...]) -> None:
    before = command.file.read_bytes()
    command.file.chmod(0o444)
    code, _, errors = command.by_permission(*arguments)
    assert code == 3, errors
    assert "readonly" in errors
    assert command.file.read_bytes() == before


@pytest.mark.parametrize("target", ["no such folder/copy.sqlite3", "."])
def test_a_backup_that_cannot_be_written_says_so(command: Command, tmp_path: Path, target: str) -> None:
    code, _, errors = command("db", "backup", str(tmp_path / target))
    assert code == 1
    assert str(tmp_path) in errors


def test_a_backup_by_command_restores(command: Command, tmp_path: Path) -> None:
    assert command("subscribers", "add", "ann@example.org")[0] == 0
    copy = tmp_path / "copy.sqlite3"
    assert command("db", "backup", str(copy))[0] == 0
    command.file.unlink()
    copy.rename(command.file)
    code, said, _ = command("subscribers", "list")
    assert code == 0
    assert "ann@example.org" in said


def test_foreign_tables_are_seen_by_problems(sqlite: Database) -> None:
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql(
            "INSERT INTO publications (source_id, key, title, url, first_seen_at)"
            " VALUES (99, 'k', 't', 'u', '2025-01-01')"
        )
        connection.commit()
    assert sqlite.problems() == ["publications row 1 points to no sources"]


def test_the_decorated_type_is_a_plain_time_stamp_to_the_engine(database: Database) -> None:
    """So that a database tool and another program read it without us."""
    scratch = Table("scratch", MetaData(), Column("at", UtcDateTime))
    with database.engine.begin() as connection:
        scratch.create(connection)
        connection.execute(scratch.insert().values(at=NOW))
        connection.execute(update(scratch).values(at=NOW + timedelta(microseconds=1)))
        assert connection.execute(select(scratch.c.at)).scalar_one() == NOW + timedelta(microseconds=1)
        kind = inspect(connection).get_columns("scratch")[0]["type"]
        assert kind.python_type is datetime
