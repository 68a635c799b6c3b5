"""The schema's way up: all of it or nothing, the same on both engines, and never over something else's tables."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from alembic import command as alembic_command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from crash import Launcher
from pipeline import World, issue, watch
from sqlalchemy import Connection, inspect, select, text

from monitor.store import (
    migrations,
    schema_desk,  # noqa: F401 - its tables are part of the schema
    schema_search,
    schema_subscribers,  # noqa: F401
)
from monitor.store.database import Database
from monitor.store.migrations import SchemaMismatch
from monitor.store.schema import Base, Delivery, Issue, Source, Topic, Transition, Watch

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2025, 6, 10, 16, 0, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Empty."""
    opened = Database(database_url)
    yield opened
    opened.close()


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def fill(database: Database) -> None:
    """Rows that refer to each other, in a migrated database."""
    with database.transaction() as session:
        session.add(Topic(id="t", name="Topic", position=0))
        session.flush()
        session.add(
            Issue(
                id="i", topic_id="t", name="I", position=0, status="no_progress", narrative="Nothing.", updated_at=NOW
            )
        )
        session.add(Source(slug="s", kind="feed", url="u"))
        session.flush()
        source = session.scalars(select(Source)).one()
        session.add(Watch(id="w", issue_id="i", source_id=source.id, direction="advances", effect="none"))


# ------------------------------------------------------------------ where the way leads


#: SQLite has such an index, and SQLAlchemy does not read it there; `describe` does.
of_an_expression = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")


def describe(connection: Connection) -> dict[str, Any]:
    """Everything the engine says about the tables, in an order of its own."""
    seen = inspect(connection)
    return _expressions(connection) | {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in seen.get_columns(table)
            },
            "primary key": seen.get_pk_constraint(table)["constrained_columns"],
            "references": sorted(
                (one["constrained_columns"], one["referred_table"], one["referred_columns"], str(one["name"]))
                for one in seen.get_foreign_keys(table)
            ),
            "unique": sorted((str(one["name"]), one["column_names"]) for one in seen.get_unique_constraints(table)),
            "checks": sorted((str(one["name"]), one["sqltext"]) for one in seen.get_check_constraints(table)),
            "indexes": sorted(
                (str(one["name"]), one["column_names"], one["unique"]) for one in seen.get_indexes(table)
            ),
        }
        for table in seen.get_table_names()
        if table != "alembic_version" and not schema_search.is_of_search(table)
    }


def _expressions(connection: Connection) -> dict[str, Any]:
    if connection.dialect.name != "sqlite":
        return {}
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%(%(%'")
    return {"indexes of expressions": sorted(tuple(row) for row in rows)}


def is_mapped(name: str | None, kind: str, _parents: object) -> bool:
    """FTS5's tables are not; tests/test_search.py holds them to what they are for."""
    return kind != "table" or not schema_search.is_of_search(str(name))


@of_an_expression
@pytest.mark.filterwarnings("ignore:autogenerate skipping")  # SQLite cannot describe PostgreSQL's search indexes
def test_the_migrations_lead_to_the_schema(database: Database) -> None:
    assert migrations.upgrade(database) == (None, migrations.head())
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": is_mapped}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


@of_an_expression
def test_the_migrations_make_what_the_schema_would(database: Database) -> None:
    """Autogenerate compares no CHECK and no names; the engine's own description has both."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN")
        Base.metadata.create_all(connection)
        made = describe(connection)
        connection.rollback()
    assert len(made) > 10
    if database.is_sqlite:
        assert len(made["indexes of expressions"]) == 1
    migrations.upgrade(database)
    with database.engine.connect() as connection:
        assert describe(connection) == made


def test_a_filled_database_of_the_first_version_goes_up_with_all_its_rows(database: Database) -> None:
    """SQLite makes ``transitions`` anew, to which deliveries refer."""
    with database.migrating() as connection:
        alembic_command.upgrade(migrations._alembic(connection), "0001")
    filled = {
        "topics": {"id": "t", "name": "T", "position": 0, "active": True},
        "issues": {
            "id": "i",
            "topic_id": "t",
            "name": "I",
            "position": 0,
            "active": True,
            "status": "achieved",
            "narrative": "Text.",
            "updated_at": "2025-06-10 12:00:00",
            "action_url": "",
        },
        "transitions": {
            "id": 7,
            "issue_id": "i",
            "from_status": "no_progress",
            "to_status": "achieved",
            "narrative_before": "",
            "narrative_after": "Text.",
            "reason": "Law.",
            "decided_by": "Lee",
            "at": "2025-06-10 12:00:00",
        },
        "deliveries": {
            "id": "d",
            "transition_id": 7,
            "recipient": "subscription:1",
            "channel": "email",
            "state": "sent",
            "due_at": "2025-06-10 12:00:00",
            "created_at": "2025-06-10 12:00:00",
            "attempts": 1,
            "error": "",
        },
    }
    with database.engine.begin() as connection:
        for table, row in filled.items():
            names = ", ".join(f'"{name}"' for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{n}' for n in row)})"), row)
    assert migrations.upgrade(database) == ("0001", migrations.head())
    with database.reading() as session:
        assert session.get_one(Transition, 7).corrects_id is None
        assert session.get_one(Delivery, "d").transition_id == 7


def test_there_is_one_way_up() -> None:
    from alembic.script import ScriptDirectory

    scripts = list(ScriptDirectory.from_config(migrations._alembic()).walk_revisions())
    assert [one.revision for one in reversed(scripts)] == migrations._versions()  # by their files' names
    assert scripts[0].revision == migrations.head()
    assert sum(one.down_revision is None for one in scripts) == 1
    assert not any(one.is_branch_point or one.is_merge_point for one in scripts)


def test_going_up_again_changes_nothing(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    migrations.upgrade(database)
    fill(database)
    file = Path(str(database.url.database))
    before = file.read_bytes()
    assert migrations.upgrade(database) == (migrations.head(), migrations.head())
    migrations.require(database)
    database.close()
    assert file.read_bytes() == before


def test_many_programs_going_up_at_once_all_arrive(database_url: str) -> None:
    """As when a service and a command are both started on a fresh machine."""
    barrier = threading.Barrier(8)
    results: list[object] = []

    def go() -> None:
        one = Database(database_url)
        barrier.wait()
        try:
            results.append(migrations.upgrade(one)[1])
        except Exception as error:  # noqa: BLE001 - a thread's error belongs to the test
            results.append(error)
        finally:
            one.close()

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [migrations.head()] * 8


# ------------------------------------------------------------------ a later version, which is killed or fails

_LATER = '''
"""A later version"""

import os
import signal

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
{body}
'''

_HALF = """
op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
op.execute("INSERT INTO half (id) VALUES (1)")
op.execute("UPDATE issues SET narrative = 'half way'")
op.add_column("topics", sa.Column("colour", sa.String(), nullable=True))
"""

#: Rebuilds, on SQLite, tables that others refer to: as any change of a column there does.
_REBUILD = """
with op.batch_alter_table("issues") as table:
    table.alter_column("name", new_column_name="title")
with op.batch_alter_table("sources") as table:
    table.add_column(sa.Column("colour", sa.String(), nullable=False, server_default="blue"))
    table.alter_column("slug", type_=sa.String(length=300))
"""


def later(folder: Path, body: str) -> Path:
    """A migrations folder with one more version."""
    scripts = folder / "migrations"
    shutil.rmtree(scripts, ignore_errors=True)
    shutil.copytree(ROOT / "migrations", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    script = _LATER.format(head=migrations.head(), body=indent(dedent(body).strip(), "    "))
    (scripts / "versions" / "9999_later.py").write_text(script)
    return scripts


def go_up(url: str, scripts: Path) -> int:
    """In a process of its own, which may die."""
    program = (
        "import sys; from pathlib import Path; from monitor.store import database, migrations\n"
        "migrations._folder = lambda: Path(sys.argv[2])\n"
        "migrations.upgrade(database.Database(sys.argv[1]))\n"
    )
    return subprocess.run([sys.executable, "-c", program, url, str(scripts)], cwd=ROOT).returncode


@of_an_expression
@pytest.mark.parametrize(
    ("last", "code"),
    [("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL), ("raise RuntimeError('a mistake in the script')", 1)],
    ids=["killed", "failed"],
)
def test_an_upgrade_that_ends_half_way_leaves_the_old_version(
    database: Database, tmp_path: Path, last: str, code: int
) -> None:
    migrations.upgrade(database)
    fill(database)
    with database.engine.connect() as connection:
        before = describe(connection)
    assert go_up(url_of(database), later(tmp_path, _HALF + last)) == code
    migrations.require(database)
    with database.engine.connect() as connection:
        assert describe(connection) == before
    with database.reading() as session:
        assert session.get_one(Issue, "i").narrative == "Nothing."
    assert go_up(url_of(database), later(tmp_path, _HALF)) == 0
    assert migrations.current(database) == "9999"


def test_a_later_version_may_rebuild_a_table_that_others_refer_to(database: Database, tmp_path: Path) -> None:
    migrations.upgrade(database)
    fill(database)
    assert go_up(url_of(database), later(tmp_path, _REBUILD)) == 0
    with database.reading() as session:
        assert session.execute(text("SELECT title FROM issues")).scalar_one() == "I"
        assert session.execute(text("SELECT colour FROM sources")).scalar_one() == "blue"
        assert session.execute(text("SELECT issue_id FROM watches")).scalar_one() == "i"
    assert database.problems() == []


def test_a_later_version_that_loses_what_others_refer_to_is_taken_back(database: Database, tmp_path: Path) -> None:
    migrations.upgrade(database)
    fill(database)
    assert go_up(url_of(database), later(tmp_path, 'op.execute("DELETE FROM issues")')) == 1
    migrations.require(database)
    with database.reading() as session:
        assert session.get_one(Issue, "i").name == "I"


# ------------------------------------------------------------------ what is not ours to write


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    issues = [issue("stops", watch("2025 HB 7132", effect="some_progress"))]
    with World(tmp_path, issues, database_url=database_url) as one:
        yield one


COMMANDS = [
    ("check",),
    ("sync",),
    ("run",),
    ("deliver",),
    ("board",),
    ("proposals", "list"),
    ("proposals", "approve", "1", "--by", "Alex"),
    ("subscribers", "add", "ann@example.org"),
    ("db", "upgrade"),
    ("db", "check"),
    ("db", "backup", "copy.sqlite3"),
]


def test_a_database_newer_than_the_program_is_refused_and_left_alone(world: World, launcher: Launcher) -> None:
    with world.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        session.execute(text("ALTER TABLE issues ADD COLUMN colour VARCHAR"))
    before = contents(world.database)
    for command in COMMANDS:
        child = launcher.run(command, environ=world.command_environ, folder=world.folder)
        assert child.code == 3, (command, child.said, child.errors)
        assert "9999" in child.errors
        assert "newer program" in child.errors
    assert contents(world.database) == before


def test_a_database_older_than_the_program_says_what_to_do(world: World, launcher: Launcher) -> None:
    """The one command that may change it is named, and it is not run by the way."""
    if migrations.head() != "0006":
        pytest.fail("write here the version before head, and that the commands name it")
    for statement, found in (
        ("UPDATE alembic_version SET version_num = '0005'", "version 0005"),
        ("DELETE FROM alembic_version", "empty"),
    ):
        with world.database.transaction() as session:
            session.execute(text(statement))
        child = launcher.run(("board",), environ=world.command_environ, folder=world.folder)
        assert child.code == 3
        assert found in child.errors
        assert "monitor db upgrade" in child.errors


def test_another_programs_database_is_refused_and_left_alone(
    tmp_path: Path, database_url: str, launcher: Launcher
) -> None:
    with World(tmp_path, [issue("stops")], database_url=database_url, synced=False) as world:
        with world.database.engine.begin() as connection:
            connection.execute(text("CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR)"))
            connection.execute(text("INSERT INTO customers VALUES (1, 'Ann')"))
        before = contents(world.database)
        for command in COMMANDS:
            child = launcher.run(command, environ=world.command_environ, folder=world.folder)
            assert child.code == 3, (command, child.said, child.errors)
        with pytest.raises(SchemaMismatch, match="customers"):
            migrations.upgrade(world.database)
        assert contents(world.database) == before


def contents(database: Database) -> object:
    """The file's bytes; for PostgreSQL every table's rows."""
    if database.is_sqlite:
        database.close()
        return Path(str(database.url.database)).read_bytes()
    with database.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return {one: sorted(map(str, connection.execute(text(f'SELECT * FROM "{one}"')))) for one in tables}


def test_a_first_start_may_be_a_check(tmp_path: Path, database_url: str, launcher: Launcher) -> None:
    issues = [issue("stops", watch("2025 HB 7132", effect="some_progress"))]
    with World(tmp_path, issues, database_url=database_url, synced=False) as world:
        argv = ["--now", world.now.isoformat(), "check", "--json"]
        child = launcher.run(argv, environ=world.command_environ, folder=world.folder)
        assert child.code == 0, child.errors
        migrations.require(world.database)
        assert [one.slug for one in world.rows(Source)] == ["bill_feed/bill_history.csv", "bill_page/2025-HB07132"]


# ------------------------------------------------------------------ where the scripts stand


def test_an_installed_program_brings_its_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a wheel they stand inside the package; tests/test_deploy.py builds a real one."""
    package = tmp_path / "site-packages" / "monitor"
    (package / "store").mkdir(parents=True)
    shutil.copytree(ROOT / "migrations", package / "migrations")
    monkeypatch.setattr(migrations, "__file__", str(package / "store" / "migrations.py"))
    assert migrations._folder() == package / "migrations"
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrations.upgrade(database)
    database.close()
    with sqlite3.connect(tmp_path / "x.sqlite3") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrations.head(),)]
    connection.close()


def test_a_percent_sign_in_the_path_is_a_percent_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "50%(here)s"
    shutil.copytree(ROOT / "migrations", folder)
    monkeypatch.setattr(migrations, "_folder", lambda: folder)
    assert migrations.head() == sorted(folder.glob("versions/*_*.py"))[-1].name.split("_")[0]
