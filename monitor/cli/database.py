"""``monitor db``: the schema's version, copies, and health."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import DATABASE, USAGE, ConfigOption, JsonOption, NowOption, config_path, fail, opened
from monitor.cli.output import as_json

if TYPE_CHECKING:
    from monitor.store.database import Database

app = typer.Typer(help="The database: upgrade, backup, check.", no_args_is_help=True, rich_markup_mode=None)


def _database(context: typer.Context, config: Path | None) -> Database:
    """The configured database, whatever its version."""
    from monitor.config import ConfigError, load
    from monitor.store.database import Database

    try:
        return Database(load(config_path(context, config), os.environ).database_url)
    except ConfigError as error:
        fail(str(error), USAGE)


@app.command(epilog="Example: monitor db upgrade")
def upgrade(context: typer.Context, config: ConfigOption = None, as_json_: JsonOption = False) -> None:
    """Bring the database to this program's version, all or nothing."""
    from contextlib import closing

    from sqlalchemy.exc import DBAPIError

    from monitor.store import migrations

    try:
        with closing(_database(context, config)) as database:
            before, after = migrations.upgrade(database)
    except migrations.SchemaMismatch as error:
        fail(str(error), DATABASE)
    except DBAPIError as error:
        fail(f"the database cannot be used: {error.orig}", DATABASE)
    if as_json_:
        as_json({"from": before, "to": after})
    elif before == after:
        typer.echo(f"The database is at version {after} already.")
    else:
        typer.echo(f"The database went from {before or 'empty'} to version {after}.")


@app.command(epilog="Example: monitor db backup /var/backups/monitor-2025-06-10.sqlite3")
def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Copy the database while the service runs (SQLite; for PostgreSQL use pg_dump)."""
    with opened(context, config, now) as opening:
        try:
            opening.database.backup(target)
        except (ValueError, OSError) as error:
            fail(str(error))
    if as_json_:
        as_json({"file": str(target), "bytes": target.stat().st_size})
    else:
        typer.echo(f"Wrote {target} ({target.stat().st_size:,} bytes).")


@app.command(epilog="Example: monitor db check")
def check(
    context: typer.Context, config: ConfigOption = None, now: NowOption = None, as_json_: JsonOption = False
) -> None:
    """Check the stored data: the engine's own test, and that every saved page is what was received."""
    from monitor.store.snapshots import damaged

    with opened(context, config, now) as opening:
        problems = opening.database.problems()
        with opening.database.reading() as session:
            problems += damaged(session)
    if as_json_:
        as_json({"problems": problems})
    else:
        typer.echo("\n".join(problems) or "The database is sound.")
    if problems:
        raise typer.Exit(DATABASE)
