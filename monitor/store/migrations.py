"""The schema's version: where the database is, where the code is, and the way up."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from monitor.store.database import Database


class SchemaMismatch(Exception):
    """The database is not at the version this code was written for. Says what to do."""


def _folder() -> Path:
    """``migrations/`` of a checkout, or the copy that travels in the wheel."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "migrations"
    return beside if (beside / "env.py").is_file() else package / "migrations"


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The version this code needs."""
    found = ScriptDirectory.from_config(_alembic()).get_current_head()
    assert found is not None
    return found


def current(database: Database) -> str | None:
    """The version the database is at; None when it is empty."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _known(version: str) -> bool:
    return version in {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


def require(database: Database) -> None:
    """Raise SchemaMismatch unless the database is exactly at this code's version. Writes nothing."""
    found = current(database)
    if found == head():
        return
    if found is None:
        raise SchemaMismatch("the database is empty; run `monitor db upgrade` first")
    if not _known(found):
        raise SchemaMismatch(_newer(found))
    raise SchemaMismatch(
        f"the database is at version {found} and this program needs {head()}; run `monitor db upgrade`"
    )


def _newer(found: str) -> str:
    return (
        f"the database is at version {found}, which this program does not know: a newer program has written it. "
        "Install that program again, or restore a backup from before its upgrade. Nothing was changed."
    )


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the database to this code's version, all or nothing. Returns (from, to). Raises SchemaMismatch."""
    with database.migrating() as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        if before is None:
            _refuse_foreign(connection)
        elif not _known(before):
            raise SchemaMismatch(_newer(before))
        command.upgrade(_alembic(connection), "head")
    return before, head()


def _refuse_foreign(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if tables:
        raise SchemaMismatch(
            f"the database holds tables of something else ({', '.join(tables[:3])}); name an empty one"
        )
