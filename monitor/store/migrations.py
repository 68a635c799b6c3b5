"""The schema's version: where the database is, where the code is, and the way up.

Alembic is imported for the way up alone: every command asks for the two versions, and Alembic takes as much
memory and time to import as a quarter of what a pass needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

from monitor.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config


class SchemaMismatch(Exception):
    """The database is not at the version this code was written for. Says what to do."""


def _folder() -> Path:
    """``migrations/`` of a checkout, or the copy that travels in the wheel."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "migrations"
    return beside if (beside / "env.py").is_file() else package / "migrations"


def _alembic(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The version this code needs."""
    return _versions()[-1]


def _versions() -> list[str]:
    """Every migration's version, oldest first: its file is named by it ("0001_the_first_schema.py")."""
    return sorted(file.name.partition("_")[0] for file in _folder().glob("versions/*_*.py"))


def current(database: Database) -> str | None:
    """The version the database is at; None when it is empty."""
    with database.engine.connect() as connection:
        return _version(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def require(database: Database) -> None:
    """Raise SchemaMismatch unless the database is exactly at this code's version. Writes nothing."""
    found = current(database)
    if found == head():
        return
    if found is None:
        raise SchemaMismatch("the database is empty; run `monitor db upgrade` first")
    if found not in _versions():
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
        before = _version(connection)
        if before is None:
            _refuse_foreign(connection)
        elif before not in _versions():
            raise SchemaMismatch(_newer(before))
        if before != head():
            _upgrade(connection)
    return before, head()


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(_alembic(connection), "head")


def _refuse_foreign(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if tables:
        raise SchemaMismatch(
            f"the database holds tables of something else ({', '.join(tables[:3])}); name an empty one"
        )
